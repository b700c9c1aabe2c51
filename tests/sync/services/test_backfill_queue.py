"""The cluster loads a new partner's history by itself: after its races are found, in turns, and not for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django_q.models import OrmQ

from partners.gate import database_now
from partners.models import Credential
from races.models import Participant
from sync import tasks
from sync.core.policy import DEFAULT_POLICY
from sync.models import Backfill
from sync.services import backfill as loading
from sync.services.backfill_queue import RUNNING_AT_ONCE, backfill_ask, backfill_turn, backfills_continue
from sync.web.partner_backfills import backfill_rows
from tests.factories import CredentialFactory
from tests.sync.provider_stage import Stage, assert_mirror_is_truth, from_now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def past(stage: Stage) -> Stage:
    """One race that is over: nothing of it would ever be synced."""
    stage.add_race(starts=[from_now(days=-30)], people=4)
    return stage


def turn(backfill: Backfill, *, seconds: float = 60.0) -> Backfill:
    backfill_turn(backfill_id=backfill.pk, policy=DEFAULT_POLICY, now=database_now(), seconds=seconds)
    backfill.refresh_from_db()
    return backfill


def queued() -> list[int]:
    return [task.task["args"][0] for task in OrmQ.objects.all() if task.task["func"] == "sync.tasks.backfill"]


def word(stage: Stage) -> str:
    zone = database_now().tzinfo
    return backfill_rows(partner_id=stage.key.partner_id, zone=zone, now=database_now())[0].word


def test_saving_a_key_leads_to_its_whole_history(past):
    asked_at = database_now()
    tasks.discovery(past.key.pk, asked_at.isoformat(), True)

    load = Backfill.objects.get()
    assert (load.partner_id, load.by_cluster, queued()) == (past.key.partner_id, True, [load.pk])
    assert word(past) == "Waiting"
    assert turn(load).status == Backfill.Status.DONE
    assert Participant.objects.count() == 4
    assert_mirror_is_truth(past.world)
    assert backfills_continue(now=database_now()) == []


def test_it_waits_until_the_races_of_all_keys_are_known(past):
    assert backfill_ask(partner_id=past.key.partner_id, now=database_now())
    assert backfills_continue(now=database_now()) == []
    Credential.objects.update(discovered_at=database_now())
    assert backfills_continue(now=database_now()) == [Backfill.objects.get().pk]


def test_a_second_wish_makes_no_second_load(past):
    backfill_ask(partner_id=past.key.partner_id, now=database_now())
    assert not backfill_ask(partner_id=past.key.partner_id, now=database_now())
    assert Backfill.objects.count() == 1


def test_what_a_turn_does_not_reach_waits_for_the_next_one(past, monkeypatch):
    tasks.discovery(past.key.pk, None, True)

    def too_late(self, *_args):
        self.stop.set()
        raise loading.Stopped

    with monkeypatch.context() as patch:
        patch.setattr(loading.BackfillRunner, "_walk", too_late)
        load = turn(Backfill.objects.get())
    assert (load.status, load.by_cluster, word(past)) == ("interrupted", True, "Waiting")
    assert backfills_continue(now=database_now()) == [load.pk]
    assert turn(load).status == Backfill.Status.DONE


def test_a_race_that_fails_is_not_tried_for_ever(past, monkeypatch):
    monkeypatch.setattr(loading, "TRIES", 1)
    tasks.discovery(past.key.pk, None, True)
    past.world.faults.add(status=502, html=True)
    load = turn(Backfill.objects.get())
    assert (load.status, load.by_cluster) == ("interrupted", False)
    assert backfills_continue(now=database_now()) == []
    assert word(past) == "Ended with problems"


def test_lanes_keep_their_workers_and_a_dead_process_is_followed_by_another(past):
    now = database_now()
    for _ in range(RUNNING_AT_ONCE + 1):
        partner = CredentialFactory(discovered_at=now).partner
        backfill_ask(partner_id=partner.pk, now=now)
    assert len(backfills_continue(now=now)) == RUNNING_AT_ONCE
    Backfill.objects.update(lease_until=now + timedelta(seconds=30))
    assert backfills_continue(now=now) == []
    assert len(backfills_continue(now=now + timedelta(seconds=31))) == RUNNING_AT_ONCE
