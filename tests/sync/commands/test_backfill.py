"""`manage.py backfill`: its words, its exit codes, and Ctrl-C."""

from __future__ import annotations

import io
import os
import signal

import pytest
from django.core.management import CommandError, call_command

from partners.gate import database_now
from partners.models import Credential
from races.models import Participant, Race
from sync.models import Backfill
from sync.services import backfill as service
from sync.services.backfill import BackfillRunner, Scope, backfill_claim
from tests.factories import RaceFactory
from tests.sync.provider_stage import Stage, assert_mirror_is_truth, from_now, hook_calls, refill

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def signals_as_they_were():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def history(stage_of) -> Stage:
    """Three races of two partners."""
    stage = stage_of(2)
    for key in (0, 0, 1):
        stage.add_race(starts=[from_now(days=-30)], key=key)
    stage.discover()
    refill()
    return stage


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("backfill", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> tuple[str, int]:
    with pytest.raises(CommandError) as error:
        run(*arguments)
    return str(error.value), error.value.returncode


def test_it_says_what_was_loaded(history):
    said = run()
    assert "3 of 3 races loaded: 9 people fetched, 9 new, 0 changed, 0 rejected" in said
    assert "backfill: 3 of 3 races, 9 people" in said
    assert_mirror_is_truth(history.world)


def test_a_second_time_it_says_that_nothing_is_new(history):
    run()
    refill()
    assert "9 people fetched, 0 new, 0 changed, 0 rejected" in run()


def test_a_dry_run_says_what_would_be_loaded_and_calls_nobody(history):
    said = run("--dry-run")
    assert said.startswith("3 races would be loaded, with at least 3 calls. Nothing was called.")
    for race in Race.objects.all():
        assert f"{race.provider_race_id}  {race.name}" in said
    assert history.calls() == []
    assert not Backfill.objects.exists()


def test_one_race_and_one_partner_can_be_chosen(history):
    race = Race.objects.filter(credential=history.keys[0]).first()
    assert "1 of 1 races loaded" in run("--race", str(race.provider_race_id))
    assert set(Participant.objects.values_list("event__race", flat=True)) == {race.pk}
    assert "1 of 1 races loaded" in run("--partner", history.keys[1].partner.slug)


def test_an_id_of_two_partners_asks_for_the_partner(history):
    race = Race.objects.filter(credential=history.keys[0]).first()
    RaceFactory(credential=history.keys[1], provider_race_id=race.provider_race_id)
    text, code = refused("--race", str(race.provider_race_id))
    assert code == 2
    assert "exists under several partners" in text
    assert all(key.partner.slug in text for key in history.keys)
    assert "add --partner SLUG" in text
    said = run("--race", str(race.provider_race_id), "--partner", history.keys[0].partner.slug)
    assert "1 of 1 races loaded" in said


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(("--race", "17"), "No race has the id 17"), (("--partner", "nobody"), "There is no partner 'nobody'. Known: ")],
)
def test_what_is_not_there_ends_with_code_2(history, arguments, text):
    said, code = refused(*arguments)
    assert code == 2
    assert text in said


def test_a_date_that_is_none_is_refused_with_an_example(history):
    with pytest.raises(CommandError, match=r"'soon' is not a date\. Write it as 2026-05-31\."):
        run("--since", "soon")


def test_since_leaves_older_events_out(history):
    assert "0 people fetched" in run("--since", str(database_now().date()))


def test_a_refused_key_is_said_in_a_sentence_and_ends_with_code_1(history):
    """Row 5."""
    race = Race.objects.filter(credential=history.keys[1]).get()
    history.world.change("key", key=history.keys[1].api_key, secret="another-secret-0123456789")
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"1 races could not be loaded\. The same command tries them again") as error:
        call_command("backfill", stdout=out)
    assert error.value.returncode == 1
    assert f"{race.name} ({race.provider_race_id}): RunSignUp does not accept this API key" in out.getvalue()
    assert "2 of 3 races loaded" in out.getvalue()
    assert Credential.objects.get(pk=history.keys[1].pk).status == Credential.Status.REFUSED


def test_while_another_one_runs_it_ends_with_code_1_and_says_until_when(history):
    backfill_claim(Scope(), restart=False, now=database_now())
    text, code = refused()
    assert code == 1
    assert "This backfill is running already (claimed until" in text
    assert history.calls() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_interrupted_it_keeps_what_it_has_and_goes_on_with_the_same_command(history, monkeypatch, number):
    """Row 30, and row 25 for SIGTERM."""
    runners: list[BackfillRunner] = []
    init = BackfillRunner.__init__

    def remembered(self, *args, **options):
        init(self, *args, **options)
        runners.append(self)

    monkeypatch.setattr(BackfillRunner, "__init__", remembered)
    made = []

    def at_the_second_call(path, params):
        made.append((path, params.get("after_registration_id")))
        if len(made) == 2:
            os.kill(os.getpid(), number)
            assert runners[0].stop.wait(timeout=10)

    with monkeypatch.context() as patched:
        patched.setattr(service, "KEYS_AT_ONCE", 1)
        hook_calls(patched, at_the_second_call)
        text, code = refused()
    assert (text, code) == ("Interrupted. The same command goes on from here.", 130)
    assert len(made) == 2
    backfill = Backfill.objects.get()
    assert (backfill.status, backfill.lease_until) == (Backfill.Status.INTERRUPTED, None)
    refill()
    hook_calls(monkeypatch, lambda path, params: made.append((path, params.get("after_registration_id"))))
    assert "3 of 3 races loaded" in run()
    assert len(set(made)) == len(made)
    assert Backfill.objects.count() == 1
    assert_mirror_is_truth(history.world)


def test_restart_is_told_apart_from_going_on(history):
    run("--partner", history.keys[0].partner.slug)
    refill()
    assert "2 of 2 races loaded" in run("--partner", history.keys[0].partner.slug, "--restart")


def test_help_names_every_option_and_exit_code(capsys):
    with pytest.raises(SystemExit) as ended:
        call_command("backfill", "--help")
    assert ended.value.code in {0, None}
    said = " ".join(capsys.readouterr().out.split())
    for word in ("--partner SLUG", "--race ID", "--since DATE", "--dry-run", "--restart", "130: interrupted"):
        assert word in said
