"""Notices a queue whose workers no longer take tasks.

A worker that is killed while it waits for a task can take the lock of django-q2's queue with it: the other workers then
wait for ever, the sentinel looks healthy, and nothing runs (measured; django-q2's issue 23). Each worker therefore
leaves a mark while it works, and a task that waits although a worker is free is the sign.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from django_q.signals import post_execute_in_worker, pre_execute

# A free worker takes a waiting task within milliseconds; a loaded machine may need a moment.
STALLED_AFTER = 8.0


class WorkerWatch:
    """Made before the fork; `stalled()` is asked about once a second by the main process."""

    def __init__(self, *, workers: int) -> None:
        self.workers = workers
        self.marks = Path(tempfile.mkdtemp(prefix="project88-workers-"))
        self._waiting_since: float | None = None
        pre_execute.connect(self._begin, weak=False)
        post_execute_in_worker.connect(self._end, weak=False)

    def _begin(self, **_signal: object) -> None:
        (self.marks / str(os.getpid())).touch()

    def _end(self, **_signal: object) -> None:
        (self.marks / str(os.getpid())).unlink(missing_ok=True)

    def busy(self) -> int:
        """Workers that are at a task now; the mark of one that died is taken away."""
        alive = 0
        for mark in self.marks.iterdir():
            if _is_alive(int(mark.name)):
                alive += 1
            else:
                mark.unlink(missing_ok=True)
        return alive

    def stalled(self, *, waiting: int, now: float) -> bool:
        """Whether tasks have waited in memory for `STALLED_AFTER` seconds beside a free worker. `now` is monotonic."""
        if not waiting or self.busy() >= self.workers:
            self._waiting_since = None
            return False
        if self._waiting_since is None:
            self._waiting_since = now
        return now - self._waiting_since > STALLED_AFTER

    def close(self) -> None:
        pre_execute.disconnect(self._begin)
        post_execute_in_worker.disconnect(self._end)
        shutil.rmtree(self.marks, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
