"""When a cycle calls a lane: never so often that it hurts, and never so rarely that somebody waits."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django_q.models import OrmQ

from partners.gate import database_now
from partners.models import CallBudget
from sync.models import EventSync
from sync.services.cycles import cycle_run
from sync.services.lanes import lane_run
from sync.services.leases import lane_claim, lane_release
from tests.factories import CredentialFactory, EventSyncFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def held():
    """A key with a due event, whose lane is at work; its fence."""
    credential = CredentialFactory()
    now = database_now()
    EventSyncFactory(
        event__race__credential=credential,
        event__starts_at=now + timedelta(hours=2),
        tier="HIGH",
        tier_until=now + timedelta(hours=1),
        due_at=now - timedelta(seconds=5),
    )
    fence = lane_claim(credential.pk)
    assert fence is not None
    return credential, fence


def lanes_called_by_a_cycle() -> int:
    OrmQ.objects.all().delete()
    assert cycle_run(now=database_now()) is not None
    return OrmQ.objects.count()


def cycle_while_the_budget_is_debited() -> int:
    """A cycle does not wait for the row that the gate writes at this moment, so it can't see that the lane is held."""
    locked, done = threading.Event(), threading.Event()

    def debit() -> None:
        try:
            with transaction.atomic():
                list(CallBudget.objects.select_for_update())
                locked.set()
                done.wait(timeout=20)
        finally:
            connection.close()

    gate = threading.Thread(target=debit)
    gate.start()
    try:
        assert locked.wait(timeout=20)
        return lanes_called_by_a_cycle()
    finally:
        done.set()
        gate.join()


def test_a_lane_that_is_at_work_is_not_called(held):
    assert lanes_called_by_a_cycle() == 0


def test_a_call_that_found_the_lane_at_work_does_not_keep_the_next_one_away(held):
    credential, fence = held
    assert cycle_while_the_budget_is_debited() == 1
    # The gate was quicker than the mark, or not: what counts is the call that came too often.
    CallBudget.objects.update(lane_called_at=database_now())
    assert lane_run(credential_id=credential.pk) is None
    assert lane_release(credential.pk, fence=fence, leave_work=True)
    assert lanes_called_by_a_cycle() == 1


def test_a_call_that_nobody_has_taken_yet_is_not_repeated_at_once(held):
    credential, fence = held
    assert lane_release(credential.pk, fence=fence, leave_work=True)
    assert lanes_called_by_a_cycle() == 1
    EventSync.objects.update(picked_at=None)
    assert lanes_called_by_a_cycle() == 0
    CallBudget.objects.update(lane_called_at=database_now() - timedelta(seconds=31))
    assert lanes_called_by_a_cycle() == 1
