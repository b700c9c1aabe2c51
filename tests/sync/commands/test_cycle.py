"""`manage.py cycle`: one cycle and its lanes in this process, in words."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from django_q.models import OrmQ

from partners.gate import database_now
from partners.models import CallBudget, Credential
from sync.services.cycles import cycle_run
from sync.services.leases import lane_claim
from sync.services.visits import visit_open
from tests.sync.provider_stage import UNHURRIED, Stage, assert_mirror_is_truth, end_leases, from_now, make_due, refill

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def due(stage: Stage) -> Stage:
    stage.add_race(starts=[from_now(hours=2)] * 2)
    stage.add_race(starts=[from_now(days=9)])
    stage.discover()
    make_due()
    return stage


def cycle() -> str:
    out = io.StringIO()
    call_command("cycle", stdout=out)
    return out.getvalue()


def test_it_says_what_was_due_and_what_was_done(due):
    said = cycle()
    assert "HIGH   2 due, 2 picked\nMEDIUM 0 due, 0 picked\nLOW    1 due, 1 picked\n" in said
    assert f"{due.key}: 2 visits, 2 calls: 3 ok" in said
    assert not OrmQ.objects.exists()
    assert_mirror_is_truth(due.world)


def test_it_says_what_had_to_wait_and_why(due):
    for _ in range(12):
        due.add_race(starts=[from_now(days=9)])
    due.discover()
    make_due()
    refill()
    assert "3 × defer: this cycle already took 10 LOW events" in cycle()


def test_a_failed_sync_ends_with_code_1(due):
    due.world.faults.add(endpoint="participants", status=500)
    with pytest.raises(CommandError, match="3 syncs did not end well") as error:
        cycle()
    assert error.value.returncode == 1


def test_a_lane_of_the_cluster_is_not_disturbed(due):
    report_before = due.calls()
    make_due()
    CallBudget.objects.get_or_create(credential=due.key)
    fence = lane_claim(due.key.pk)
    assert fence is not None
    said = cycle()
    assert "2 due, 2 picked" in said
    assert due.calls() == report_before


def test_runs_of_a_dead_lane_are_named(due):
    cycle_run(now=database_now(), call_lanes=False)
    visit_open(
        credential_id=due.key.pk,
        fence=lane_claim(due.key.pk),
        race_id=due.event(990_101).race_id,
        pace=UNHURRIED,
    )
    end_leases()
    assert "2 runs of a dead lane were closed as lost." in cycle()


def test_a_stopped_key_has_nothing_to_do(due):
    Credential.objects.update(status=Credential.Status.PAUSED)
    assert "2 due, 0 picked" in cycle()
    assert due.calls() == []


def test_help_says_what_it_is_for(capsys):
    with pytest.raises(SystemExit):
        call_command("cycle", "--help")
    said = " ".join(capsys.readouterr().out.split())
    assert "safe beside a running one" in said
    assert "Exit code 0: done" in said
