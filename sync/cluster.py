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
from typing import NoReturn

from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone
from django_q.cluster import Cluster
from django_q.conf import Conf
from django_q.scheduler import scheduler
from django_q.status import Status

from partners.gate import database_now
from sync import queues, stopping
from sync.models import EventSync, Heartbeat
from sync.services.cycles import HEARTBEAT
from sync.services.schedules import schedules_unstick
from sync.worker_watch import WorkerWatch

logger = logging.getLogger(__name__)

TICK = 1.0
# Slots fall on whole seconds. Just after one nothing waits for the next tick, and a clock that is a little behind ours
# has passed it too.
AFTER_THE_SECOND = 0.05
# The sentinel says every half second how it is; this long without a word and it hangs.
SENTINEL_SILENT_AFTER = 15.0
# Work that was picked this long ago, of a key without a lane, beside a free worker of ours: the queue does not deliver.
PICKED_WAITS_AT_MOST = timedelta(seconds=90)
LOOK_AT_WORK_EVERY = 5.0
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
    # A connection that the fork shares is broken for both sides as soon as one of them closes it.
    connection.close()
    cluster = Cluster()
    signal.signal(signal.SIGTERM, _ask_to_stop)
    signal.signal(signal.SIGINT, _ask_to_stop)
    try:
        cluster.start()
        logger.info("Queue started", extra={"action": "queue_started", "queue": queue, "workers": Conf.WORKERS})
        code = _serve(cluster, watch, is_silent=_no_cycles if queue == queues.DEFAULT else _no_lanes)
    except Exception:
        # Without the watch the workers must not go on either; the supervisor starts everything anew.
        logger.exception("Queue process failed", extra={"action": "queue_failed", "queue": queue})
        _give_up("its main process failed")
    watch.close()
    return code


def _ask_to_stop(_number: int, _frame: object) -> None:
    stopping.request()


def _serve(cluster: Cluster, watch: WorkerWatch, *, is_silent: Callable[[WorkerWatch, datetime], bool]) -> int:
    since, heard, looked = database_now(), time.monotonic(), 0.0
    while not stopping.requested():
        begun = time.monotonic()
        stat = _stat(cluster)
        if stat is None or stat.sentinel:
            heard = begun
        if not cluster.sentinel.is_alive():
            logger.error("Sentinel died", extra={"action": "sentinel_died"})
            return GAVE_UP
        if begun - heard > SENTINEL_SILENT_AFTER:
            _give_up("its sentinel is silent")
        if watch.stalled(waiting=stat.task_q_size if stat else 0, now=begun):
            _give_up("workers no longer take tasks")
        try:
            if is_silent is _no_cycles:
                schedules_unstick(now=database_now())
                scheduler()
            if begun - looked > LOOK_AT_WORK_EVERY:
                looked = begun
                if is_silent(watch, since):
                    _give_up("work waits and nothing runs")
        except DatabaseError:
            logger.error("Database not reachable", extra={"action": "database_unreachable"})
            # After an outage everything is old; it gets the same time as after a start.
            connection.close()
            since = timezone.now()
        time.sleep(TICK - (time.time() - AFTER_THE_SECOND) % TICK)
    cluster.stop()
    return 0


def _stat(cluster: Cluster) -> Status | None:
    """What the sentinel last said of itself; None when nobody can know, because its broker asks the database."""
    try:
        return cluster.stat
    except DatabaseError:
        connection.close()
        return None


def _no_cycles(_watch: WorkerWatch, since: datetime) -> bool:
    beat = Heartbeat.objects.filter(name=HEARTBEAT).values_list("beat_at", flat=True).first()
    return database_now() - max(beat or since, since) > SILENT_AFTER


def _no_lanes(watch: WorkerWatch, since: datetime) -> bool:
    now = database_now()
    if now - since < PICKED_WAITS_AT_MOST or watch.busy() >= watch.workers:
        return False
    old = EventSync.objects.filter(picked_at__lt=now - PICKED_WAITS_AT_MOST)
    return old.exclude(credential__budget__lane_lease_until__gt=now).exists()


def _give_up(reason: str) -> NoReturn:
    """End the whole process group: a hung cluster does not stop when it is asked to."""
    logger.critical("Queue hangs", extra={"action": "queue_hangs", "reason": reason, "queue": Conf.CLUSTER_NAME})
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    # Not sys.exit: it would wait for a sentinel that does not end. Our children go with us.
    os._exit(GAVE_UP)


def _die_with_parent() -> None:
    """A forked process must not outlive the one that leads it: orphaned workers would go on beside the new cluster."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
