"""`manage.py simulate`: figures, JSON, a picture, and one clear sentence for what cannot be simulated."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from partners.gate import database_now
from partners.models import CallBudget
from sync.management.commands.simulate import moment_of
from sync.models import EventSync, Policy
from sync.services.policies import policy_store
from sync.simulation.worlds import NoSuchWorld
from tests.factories import CredentialFactory, EventFactory, EventSyncFactory, RaceFactory

SMALL = ("seed", "--events", "20", "--keys", "3", "--days", "0.1")
NOW = datetime(2026, 6, 4, 20, 0, tzinfo=UTC)  # a Thursday


def simulate(*arguments: str) -> str:
    out = io.StringIO()
    call_command("simulate", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as error:
        simulate(*arguments)
    assert error.value.returncode == 2
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_table_says_what_each_number_means():
    said = simulate("saturday", "--events", "30", "--keys", "3")
    assert "World saturday, policy project88: Sat 2026-06-06 04:00 to Sat 2026-06-06 09:00 UTC, 30 events." in said
    assert "HIGH syncs, mean / least" in said
    assert "of 300" in said
    assert "key 1" in said
    assert "Syncs over time, a block is 5 min:\n" in said


def test_the_json_has_exactly_these_fields():
    found = json.loads(simulate("one-event", "--events", "20", "--keys", "3", "--seed", "7", "--json"))
    keys = found.pop("keys")
    assert [key["key"] for key in keys] == ["key 1", "key 2", "key 3"]
    assert set(keys[0]) == {"key", "over_budget", "wanted_per_hour", "busiest_hour", "high_syncs_min", "gap_max"}
    assert found.pop("low_wait_max_seconds") < 3700
    assert set(found.pop("gap_seconds")) == {"p50", "p95", "max"}
    assert found == {
        "world": "one-event",
        "policy": "project88",
        "seed": 7,
        "syncs": pytest.approx(540, abs=2),
        "high_syncs": {"mean": pytest.approx(300, abs=1), "min": pytest.approx(300, abs=1)},
    }


def test_a_world_without_the_one_event_and_without_high_has_nulls():
    found = json.loads(simulate(*SMALL, "--json"))
    assert found["syncs"] is None
    assert found["high_syncs"] == {"mean": None, "min": None}
    assert found["gap_seconds"] == {"p50": None, "p95": None, "max": None}


def test_the_same_seed_gives_the_same_result_and_another_one_another():
    world = ("seed", "--events", "60", "--keys", "3", "--json")
    first = simulate(*world)
    assert simulate(*world) == first
    other = json.loads(simulate(*world, "--seed", "2"))
    assert {**other, "seed": 1} != json.loads(first)


def test_it_writes_a_picture(tmp_path):
    picture = tmp_path / "syncs.svg"
    simulate(*SMALL, "--svg", str(picture))
    assert "<title" in picture.read_text()
    assert "world seed, policy project88" in picture.read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["mars"], "There is no world 'mars'. There are: one-event, seed, saturday."),
        ([], "Say which world: one-event, seed, saturday, or --from-db for what is scheduled here."),
        (["seed", "--events", "-3"], "--events -3 is not possible: it must be a number from 0 on."),
        (["seed", "--latency", "-1"], "--latency -1.0 is not possible: it must be a number from 0 on."),
        (["seed", "--latency", "nan"], "--latency nan is not possible: it must be a number from 0 on."),
        (["seed", "--seed", "-1"], "--seed -1 is not possible: it must be a number from 0 on."),
        (["seed", "--days", "0"], "--days 0 is not possible: from a part of a day up to 366 days."),
        (["seed", "--events", "0"], "A world needs at least one event and one key."),
        (["seed", "--events", "3", "--keys", "4"], "4 keys cannot share 3 events: each key needs at least one."),
        (["seed", "--limit", "1"], "A limit of 1 calls an hour cannot be kept: it must be at least 2."),
        (["seed", "--at", "Saturday 04:00"], "--at belongs to --from-db: the built-in worlds have their own time."),
        (["saturday", "--days", "2"], "--days belongs to the world seed and to --from-db: the others have their own"),
        (["seed", "--from-db"], "--from-db takes its world from the database: leave seed away."),
        (["--from-db", "--keys", "2"], "--from-db takes its world from the database: leave --keys away."),
    ],
)
def test_what_cannot_be_simulated_is_one_sentence(arguments, sentence):
    assert refused(*arguments).startswith(sentence)


def test_a_picture_that_cannot_be_written_is_said_before_the_work(tmp_path):
    missing = tmp_path / "no" / "such" / "place.svg"
    assert refused("seed", "--svg", str(missing)).startswith(
        f"The picture cannot be written to {missing}: No such file"
    )


@pytest.mark.django_db
def test_a_database_without_races_cannot_be_rehearsed():
    assert refused("--from-db").startswith("No race is scheduled here from then on")


@pytest.mark.django_db
def test_a_time_that_cannot_be_read_is_said():
    assert refused("--from-db", "--at", "soon").startswith('--at "soon" cannot be read: write "Saturday 04:00"')


@pytest.mark.django_db
def test_tomorrows_race_day_is_rehearsed_from_the_database():
    start = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
    credential = CredentialFactory(hourly_limit=500)
    for race in RaceFactory.create_batch(3, credential=credential):
        for event in EventFactory.create_batch(2, race=race, starts_at=start):
            EventSyncFactory(event=event)
    EventSyncFactory(event__race__credential__status="refused", event__starts_at=start)
    EventSyncFactory(event__race__sync_enabled=False, event__starts_at=start)
    before = list(EventSync.objects.order_by("pk").values())
    found = json.loads(simulate("--from-db", "--at", "2026-06-06T07:00", "--days", "0.5", "--json"))
    assert found["world"] == "database"
    assert found["high_syncs"]["min"] >= 299
    assert [(key["key"], key["over_budget"]) for key in found["keys"]] == [(str(credential), False)]
    assert list(EventSync.objects.order_by("pk").values()) == before


@pytest.mark.django_db
def test_a_smaller_limit_shows_what_would_be_stretched():
    start = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
    credential = CredentialFactory()
    for race in RaceFactory.create_batch(4, credential=credential):
        EventSyncFactory(event=EventFactory(race=race, starts_at=start))
    arguments = ("--from-db", "--at", "2026-06-06T07:00", "--days", "0.5", "--json")
    assert not json.loads(simulate(*arguments))["keys"][0]["over_budget"]
    (key,) = json.loads(simulate(*arguments, "--limit", "150"))["keys"]
    assert key["over_budget"]
    assert key["busiest_hour"] <= 150


@pytest.mark.django_db
def test_the_database_is_rehearsed_with_its_own_policy_and_what_its_keys_may_call_now():
    start = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
    credential = CredentialFactory()
    for race in RaceFactory.create_batch(4, credential=credential):
        EventSyncFactory(event=EventFactory(race=race, starts_at=start))
    arguments = ("--from-db", "--at", "2026-06-06T07:00", "--days", "0.5", "--json")
    policy_store(Policy(high_period_seconds=100), now=NOW)
    assert json.loads(simulate(*arguments))["high_syncs"] == {"mean": pytest.approx(180, abs=1), "min": 180}
    # RunSignUp said slow down a moment ago.
    CallBudget.objects.create(credential=credential, rate_per_hour=120, rate_changed_at=database_now())
    (key,) = json.loads(simulate(*arguments))["keys"]
    assert key["over_budget"]
    assert key["busiest_hour"] <= 120


@pytest.mark.parametrize(
    ("words", "moment"),
    [
        ("Saturday 04:00", datetime(2026, 6, 6, 4, 0, tzinfo=UTC)),
        ("thursday 21:30", datetime(2026, 6, 4, 21, 30, tzinfo=UTC)),
        ("Thursday 19:00", datetime(2026, 6, 11, 19, 0, tzinfo=UTC)),
        ("2026-06-06T04:00", datetime(2026, 6, 6, 4, 0, tzinfo=UTC)),
        ("2026-06-06T04:00-04:00", datetime(2026, 6, 6, 8, 0, tzinfo=UTC)),
        ("2026-06-06", datetime(2026, 6, 6, 0, 0, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_weekday_and_time_or_an_iso_time(words, moment):
    assert moment_of(words, now=NOW) == moment
    assert moment - NOW < timedelta(days=7)


@pytest.mark.parametrize(
    "words", ["Saturday", "Saturday 25:00", "Caturday 04:00", "", "0001-01-01", "9999-12-31T23:59-12:00"]
)
def test_other_words_are_not_a_moment(words):
    with pytest.raises(NoSuchWorld, match=r"--at"):
        moment_of(words, now=NOW)
