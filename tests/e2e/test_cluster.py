"""The cluster as real processes: killed, hung, doubled and stopped."""

from __future__ import annotations

import os
import signal
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import Count

from partners.gate import database_now
from partners.models import CallBudget
from sync.demo.truth import mirror_compare
from sync.models import Cycle, EventSync, Outcome, SyncRun
from tests.e2e.conftest import children_of, wait_for

pytestmark = pytest.mark.e2e
FRESH = timedelta(seconds=75)
GOOD = [Outcome.OK, Outcome.UNCHANGED]


def high_rows():
    return EventSync.objects.filter(tier="HIGH")


def all_high_fresh() -> bool:
    rows = high_rows()
    return rows.exists() and not rows.exclude(checked_at__gt=database_now() - FRESH).exists()


def leader(clusters):
    """The one that ran the last cycle, by what it logged."""
    last = Cycle.objects.filter(finished_at__isnull=False).latest("pk").pk
    return next((one for one in clusters if f"cycle={last} " in one.log.read_text()), None)


def assert_each_due_event_was_visited_once():
    """No event has two good runs for one due time, and no two of its runs, not even lost ones, overlap."""
    runs = SyncRun.objects.filter(finished_at__isnull=False).order_by("event_id", "started_at")
    good = runs.filter(outcome__in=GOOD, due_at__isnull=False)
    doubled = good.order_by().values("event_id", "due_at").annotate(times=Count("pk")).filter(times__gt=1)
    assert list(doubled) == []
    ended: dict[int, datetime] = {}
    for event_id, started_at, finished_at in runs.values_list("event_id", "started_at", "finished_at"):
        assert ended.get(event_id, started_at) <= started_at, f"two runs of event {event_id} at {started_at}"
        ended[event_id] = finished_at
    assert len(ended) >= 40


def open_runs():
    return SyncRun.objects.filter(lease_until__isnull=False)


def test_a_killed_cluster_loses_nothing(sandbox, start_cluster):
    """Fault 25: kill -9 in the middle of visits; the next cluster closes them as lost and goes on."""
    cluster = start_cluster()
    wait_for(lambda: open_runs().exists(), seconds=60, what="a visit is under way")
    cluster.kill_all()
    orphaned = list(open_runs().values_list("pk", flat=True))
    assert orphaned

    again = start_cluster()
    wait_for(
        lambda: not SyncRun.objects.filter(pk__in=orphaned, lease_until__isnull=False).exists(),
        seconds=100,
        what="the runs of the killed cluster are closed",
    )
    assert set(SyncRun.objects.filter(pk__in=orphaned).values_list("outcome", flat=True)) == {Outcome.LOST}
    wait_for(all_high_fresh, seconds=90, what="every HIGH event is fresh")
    wait_for(
        lambda: not EventSync.objects.filter(tier__isnull=False, checked_at=None).exists(),
        seconds=90,
        what="every scheduled event was synced once",
    )
    sandbox.set_life(0)
    assert again.stop() == 0
    comparison = mirror_compare(sandbox)
    assert comparison.events >= 40
    assert comparison.differences == ()
    for key, seen in sandbox.ledger().items():
        assert seen["most_at_once"] <= 2, key
        assert seen["busiest_hour"] <= 1000, key


def test_a_queue_whose_idle_workers_are_killed_comes_back(sandbox, start_cluster):
    """django-q2 hangs for ever when the idle worker that holds its queue's lock is killed; we notice and start anew."""
    cluster = start_cluster()
    wait_for(lambda: Cycle.objects.count() >= 1, seconds=60, what="the first cycle ran")
    first_main = cluster.queue_mains()["default"]
    (sentinel,) = children_of(first_main)
    workers = children_of(sentinel)[:2]
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    killed_at = database_now()
    wait_for(
        lambda: cluster.queue_mains().get("default", first_main) != first_main,
        seconds=40,
        what="the hung queue gave itself up and was started again",
    )
    wait_for(lambda: Cycle.objects.filter(started_at__gt=killed_at).count() >= 2, seconds=60, what="cycles go on")
    assert not Path(f"/proc/{sentinel}").exists()

    # A dead sentinel takes its workers along, and the queue comes back with new ones.
    second_main = cluster.queue_mains()["default"]
    (sentinel,) = children_of(second_main)
    workers = children_of(sentinel)
    os.kill(sentinel, signal.SIGKILL)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), seconds=20, what="no worker is left")
    died_at = database_now()
    wait_for(lambda: Cycle.objects.filter(started_at__gt=died_at).exists(), seconds=60, what="cycles go on again")


def test_two_clusters_share_the_work_and_leave_nothing_behind(sandbox, start_cluster):
    """Fault 27: one cycle at a time, one lane per key; SIGTERM and the death of the parent end every process."""
    one, two = start_cluster(), start_cluster()
    wait_for(lambda: Cycle.objects.count() >= 4, seconds=90, what="four cycles ran")
    wait_for(all_high_fresh, seconds=90, what="every HIGH event is fresh")
    doubled = Cycle.objects.values("slot").annotate(times=Count("pk")).filter(times__gt=1)
    assert list(doubled) == []
    for key, seen in sandbox.ledger().items():
        assert seen["most_at_once"] <= 2, key
    assert_each_due_event_was_visited_once()

    family = two.family()
    assert len(family) > 6
    os.kill(two.process.pid, signal.SIGKILL)
    two.process.wait(timeout=10)
    wait_for(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in family),
        seconds=60,
        what="what a killed command started has left",
    )
    family = one.family()
    assert one.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in family)
    assert not open_runs().exists()
    assert not CallBudget.objects.filter(lane_lease_until__gt=database_now()).exists()


def test_a_killed_leader_is_replaced_within_a_minute_and_nothing_is_done_twice(sandbox, start_cluster):
    """Fault 27: kill -9 of the cluster that ran the last cycle, with all its processes, while another one runs."""
    clusters = [start_cluster(), start_cluster()]
    wait_for(lambda: Cycle.objects.count() >= 3, seconds=90, what="three cycles ran")
    wait_for(lambda: leader(clusters) is not None, seconds=20, what="one of them says that it ran the last cycle")
    killed = leader(clusters)
    killed.kill_all()
    killed_at = database_now()
    wait_for(
        lambda: Cycle.objects.filter(started_at__gt=killed_at).exists(), seconds=60, what="the other runs the cycles"
    )
    # What the dead lanes had is held by their leases for a minute.
    wait_for(
        lambda: not high_rows().exclude(checked_at__gt=killed_at).exists(),
        seconds=100,
        what="every HIGH event was synced after the kill",
    )
    assert all_high_fresh()
    slots = Cycle.objects.values("slot").annotate(times=Count("pk")).filter(times__gt=1)
    assert list(slots) == []
    assert_each_due_event_was_visited_once()
    for key, seen in sandbox.ledger().items():
        assert seen["most_at_once"] <= 2, key


def test_lost_connections_do_not_end_the_work(sandbox, start_cluster):
    """Fault 24 as far as a shared server allows it: every connection of the cluster dies, again and again."""
    start_cluster()
    wait_for(lambda: Cycle.objects.count() >= 1, seconds=60, what="the first cycle ran")
    for _ in range(3):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        last = Cycle.objects.latest("pk").pk
        wait_for(lambda last=last: Cycle.objects.filter(pk__gt=last).exists(), seconds=60, what="cycles go on")
    wait_for(all_high_fresh, seconds=90, what="every HIGH event is fresh")


def test_a_frozen_sentinel_is_replaced(sandbox, start_cluster):
    """Stopped, it is alive and says nothing: the queue gives itself up and comes back."""
    cluster = start_cluster()
    wait_for(lambda: Cycle.objects.count() >= 1, seconds=60, what="the first cycle ran")
    first_main = cluster.queue_mains()["sync"]
    (sentinel,) = children_of(first_main)
    os.kill(sentinel, signal.SIGSTOP)
    wait_for(
        lambda: cluster.queue_mains().get("sync", first_main) != first_main,
        seconds=60,
        what="the queue with the frozen sentinel was started again",
    )
    wait_for(all_high_fresh, seconds=120, what="every HIGH event is fresh")
