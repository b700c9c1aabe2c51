"""The list before race day: each line ok, to look at, or a problem, with what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sync.core.findings import Repeats, StartFacts
from sync.core.forecast import EventStart, forecast
from sync.core.policy import DEFAULT_POLICY
from sync.core.readiness import EventFacts, KeyFacts, RaceFacts, State, is_prominent, readiness
from sync.core.tiers import StartWindow, start_window
from sync.core.time_words import Clock

NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
NOW = START - timedelta(hours=20)
HOUR = timedelta(hours=1)


def worst_of(races: int):
    window = StartWindow(earliest=START, latest=START)
    starts = [EventStart(race_id=number, window=window) for number in range(races)]
    found = forecast(starts, begins=NOW, ends=START, limit=1000, zone=NEW_YORK, policy=DEFAULT_POLICY)
    return max(found.intervals, key=lambda interval: interval.wanted)


def start_of(at: datetime | None = START, *, is_placeholder: bool = False) -> StartFacts:
    return StartFacts(
        starts_at=at,
        window=start_window(starts_at=at, is_placeholder=is_placeholder, timezone="America/New_York"),
        is_placeholder=is_placeholder,
        zone="America/New_York",
        zone_known=True,
        zone_taken="America/New_York",
        moved_from=None,
        moved_at=None,
        registration_opens_at=None,
        newest_registration=None,
    )


KEY = KeyFacts(name="the key Ridgeline", off="", refused="", is_verified=True, paused_until=None, used_elsewhere="")
EVENT = EventFacts(
    name="5K",
    start=start_of(),
    checked_at=NOW,
    reconciled_at=NOW - HOUR,
    registered=200,
    bibs=200,
    duplicates=Repeats(),
)
RACE = RaceFacts(key=KEY, worst=worst_of(5), events=(EVENT,))


def look(facts: RaceFacts = RACE, *, now: datetime = NOW):
    return readiness(facts, clock=Clock(zone=NEW_YORK, now=now), policy=DEFAULT_POLICY)


def line(name: str, facts: RaceFacts, *, now: datetime = NOW):
    return next(check for check in look(facts, now=now).checks if check.name == name)


def test_a_race_that_is_ready():
    found = look()
    assert (found.word, found.open_ones) == ("Ready", ())
    assert [(check.name, check.state) for check in found.checks] == [
        ("Key", State.OK),
        ("Call budget", State.OK),
        ("Start", State.OK),
        ("Full comparison", State.OK),
        ("Bibs", State.OK),
        ("Duplicate bibs", State.OK),
    ]
    assert found.checks[1].text == "The key has room: 360 of 956 calls an hour wanted at most, Sat Jun 6, 04:00 EDT."


@pytest.mark.parametrize(
    ("change", "state", "text"),
    [
        ({"refused": "RunSignUp refuses the key Ridgeline: wrong secret"}, State.PROBLEM, "refuses the key"),
        ({"off": "The race is switched off."}, State.LOOK, "The race is switched off."),
        ({"is_verified": False}, State.LOOK, "The key Ridgeline was never tested."),
        ({"paused_until": NOW + HOUR}, State.LOOK, "asked the key Ridgeline to slow down"),
        ({"used_elsewhere": "Another program seems to use it."}, State.LOOK, "Another program"),
        ({"paused_until": NOW - HOUR}, State.OK, "works"),
    ],
)
def test_the_key(change, state, text):
    found = line("Key", replace(RACE, key=replace(KEY, **change)))
    assert found.state is state
    assert text in found.text
    assert bool(found.what_to_do) is (state is not State.OK)


@pytest.mark.parametrize(("races", "state"), [(13, State.OK), (18, State.LOOK), (60, State.PROBLEM)])
def test_the_budget_of_a_key_with_so_many_races_on_that_morning(races, state):
    assert line("Call budget", replace(RACE, worst=worst_of(races))).state is state


def test_a_stretched_minute_is_said_before_it_happens():
    found = line("Call budget", replace(RACE, worst=worst_of(18)))
    assert "race-day races will sync about every 7" in found.text
    assert found.what_to_do.startswith("Nothing is lost, it arrives later.")


def test_a_start_without_a_time_of_day_is_a_problem_and_names_its_event():
    other = replace(EVENT, name="10K", start=start_of(START.replace(hour=4), is_placeholder=True))
    found = line("Start", replace(RACE, events=(EVENT, other)))
    assert found.state is State.PROBLEM
    assert found.text.startswith("10K: Its start is at 00:00")


@pytest.mark.parametrize(
    ("compared", "now", "state"),
    [
        (None, NOW, State.PROBLEM),
        # Within the day, and since it entered MEDIUM.
        (START - 23 * HOUR, NOW, State.OK),
        (START - 25 * HOUR, START - 23 * HOUR, State.LOOK),
        (START - 25 * HOUR, START - 24 * HOUR + timedelta(minutes=20), State.OK),
        (START - 60 * HOUR, START - 40 * HOUR, State.OK),
        (START - 65 * HOUR, START - 40 * HOUR, State.LOOK),
    ],
)
def test_the_full_comparison(compared, now, state):
    facts = replace(RACE, events=(replace(EVENT, reconciled_at=compared),))
    assert line("Full comparison", facts, now=now).state is state


@pytest.mark.parametrize(
    ("registered", "bibs", "state", "text"),
    [
        (200, 196, State.OK, "196 of 200 people have a bib (98 %)."),
        (200, 195, State.LOOK, "195 of 200 people have a bib (97 %)."),
        (200, 0, State.LOOK, "0 of 200 people have a bib (0 %)."),
        (0, 0, State.LOOK, "Nobody is registered."),
    ],
)
def test_bibs(registered, bibs, state, text):
    found = line("Bibs", replace(RACE, events=(replace(EVENT, registered=registered, bibs=bibs),)))
    assert (found.state, found.text) == (state, text)


def test_a_duplicate_bib_is_a_problem_and_the_word_of_the_race_is_the_worst():
    twice = replace(EVENT, name="10K", bibs=100, duplicates=Repeats(count=1, examples=("7",)))
    found = look(replace(RACE, events=(EVENT, twice)))
    assert found.word == "Problem"
    assert [check.name for check in found.open_ones] == ["Duplicate bibs", "Bibs"]
    assert found.open_ones[0].text == "10K: 1 bib is worn by more than one person: 7."
    assert found.open_ones[1].text == "300 of 400 people have a bib (75 %): 10K 100 without."


def test_it_is_prominent_from_24_hours_before_the_first_start_to_the_last():
    starts = [start_of(), start_of(START + 9 * HOUR), start_of(None)]
    assert is_prominent(starts, now=START - 24 * HOUR, policy=DEFAULT_POLICY)
    assert not is_prominent(starts, now=START - 24 * HOUR - timedelta(seconds=1), policy=DEFAULT_POLICY)
    assert is_prominent(starts, now=START + 9 * HOUR, policy=DEFAULT_POLICY)
    assert not is_prominent(starts, now=START + 10 * HOUR, policy=DEFAULT_POLICY)
