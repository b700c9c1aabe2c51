"""One queue's django-q2 cluster in this process: it ticks the schedules every second and watches that work is done.

Driven directly: `Cluster` (start, stop, stat, sentinel) and `scheduler()`. Neither is a documented interface, so the
exact release is pinned and tests hold what is used. A plain `qcluster` works too; its schedules are then looked at only
every 30 seconds.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone
from django_q.cluster import Cluster
from django_q.conf import Conf
from django_q.scheduler import scheduler

from sync import queues, stopping
from sync.models import Heartbeat
from sync.services.cycles import HEARTBEAT
from sync.worker_watch import WorkerWatch

logger = logging.getLogger(__name__)

TICK = 1.0
# Cycles start every 10 s; this long without one and the queue is taken to hang, whatever it says of itself.
SILENT_AFTER = timedelta(seconds=60)
# Exit code of a queue process that gave itself up; the supervisor starts it anew.
GAVE_UP = 3
_PR_SET_PDEATHSIG = 1


def queue_process_run(queue: str) -> int:
    """Run the cluster of one queue until SIGTERM or SIGINT; returns the exit code.

    On the signal no lane begins another visit, and what has begun is finished. `queue` must be what Q_CLUSTER_NAME
    says, because django-q2 read it at import.
    """
    if queue != Conf.CLUSTER_NAME:
        raise ValueError(f"This process serves the queue {Conf.CLUSTER_NAME!r}: start it with Q_CLUSTER_NAME={queue}.")
    stopping.reset()
    os.register_at_fork(after_in_child=_die_with_parent)
    watch = WorkerWatch(workers=Conf.WORKERS)
    cluster = Cluster()
    signal.signal(signal.SIGTERM, _ask_to_stop)
    signal.signal(signal.SIGINT, _ask_to_stop)
    try:
        cluster.start()
        logger.info("Queue started", extra={"action": "queue_started", "queue": queue, "workers": Conf.WORKERS})
        return _serve(cluster, watch, ticks=queue == queues.DEFAULT)
    finally:
        watch.close()


def _ask_to_stop(_number: int, _frame: object) -> None:
    stopping.request()


def _serve(cluster: Cluster, watch: WorkerWatch, *, ticks: bool) -> int:
    started = timezone.now()
    while not stopping.requested():
        begun = time.monotonic()
        if not cluster.sentinel.is_alive():
            logger.error("Sentinel died", extra={"action": "sentinel_died"})
            return GAVE_UP
        if watch.stalled(waiting=cluster.stat.task_q_size, now=begun):
            return _give_up("workers no longer take tasks")
        if ticks and _survived(_tick) and _survived(lambda: _is_silent(since=started)):
            return _give_up("no cycle ran although schedules were ticked")
        time.sleep(max(0.0, TICK - (time.monotonic() - begun)))
    cluster.stop()
    return 0


def _survived(step: Callable[[], bool]) -> bool:
    """Run a step that needs the database; without it this process waits and tries again."""
    try:
        return step()
    except DatabaseError:
        logger.exception("Database not reachable", extra={"action": "database_unreachable"})
        close_old_connections()
        return False


def _tick() -> bool:
    scheduler()
    return True


def _is_silent(*, since: datetime) -> bool:
    beat = Heartbeat.objects.filter(name=HEARTBEAT).values_list("beat_at", flat=True).first()
    return timezone.now() - max(beat or since, since) > SILENT_AFTER


def _give_up(reason: str) -> int:
    """End the whole process group: a hung cluster does not stop when it is asked to."""
    logger.critical("Queue hangs", extra={"action": "queue_hangs", "reason": reason, "queue": Conf.CLUSTER_NAME})
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    return GAVE_UP


def _die_with_parent() -> None:
    """A forked process must not outlive the one that leads it: orphaned workers would go on beside the new cluster."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
