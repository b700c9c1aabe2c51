from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django_q.signals import post_execute_in_worker, pre_execute

from sync.worker_watch import STALLED_AFTER, WorkerWatch


@pytest.fixture
def watch():
    watch = WorkerWatch(workers=2)
    yield watch
    watch.close()


def test_a_worker_is_busy_from_the_start_of_its_task_to_its_end(watch):
    pre_execute.send(sender="django_q", func=None, task={})
    assert watch.busy() == 1
    post_execute_in_worker.send(sender="django_q", func=None, task={})
    assert watch.busy() == 0


def test_the_mark_of_a_dead_worker_does_not_count(watch):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (watch.marks / str(gone.pid)).touch()
    assert watch.busy() == 0
    assert list(watch.marks.iterdir()) == []


def test_tasks_that_wait_beside_a_free_worker_are_a_stall(watch):
    assert not watch.stalled(waiting=1, now=100.0)
    assert not watch.stalled(waiting=1, now=100.0 + STALLED_AFTER)
    assert watch.stalled(waiting=1, now=100.1 + STALLED_AFTER)


def test_a_queue_that_moves_or_whose_workers_are_all_busy_is_no_stall(watch):
    watch.stalled(waiting=1, now=100.0)
    assert not watch.stalled(waiting=0, now=105.0)
    assert not watch.stalled(waiting=1, now=109.0)
    for pid in (os.getpid(), os.getppid()):
        (watch.marks / str(pid)).touch()
    assert not watch.stalled(waiting=1, now=200.0)
