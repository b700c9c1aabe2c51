"""Doubts: said when there is reason, with what to do, and not when there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core.findings import (
    Comparison,
    DoubtFacts,
    FindingKind,
    Repeats,
    Severity,
    Silence,
    StartFacts,
    findings,
)
from sync.core.policy import DEFAULT_POLICY
from sync.core.tiers import start_window
from sync.core.time_words import Clock

NOW = datetime(2026, 6, 3, 10, 0, tzinfo=UTC)
SATURDAY = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
CLOCK = Clock(zone=ZoneInfo("America/New_York"), now=NOW)
DAY = timedelta(days=1)


def start(at: datetime | None = SATURDAY, *, is_placeholder: bool = False, zone: str = "America/New_York", **more):
    known = zone == "America/New_York"
    window = start_window(starts_at=at, is_placeholder=is_placeholder, timezone=zone)
    fields = {
        "moved_from": None,
        "moved_at": None,
        "registration_opens_at": datetime(2026, 1, 1, tzinfo=UTC),
        "newest_registration": None,
        **more,
    }
    return StartFacts(
        starts_at=at,
        window=window,
        is_placeholder=is_placeholder,
        zone=zone,
        zone_known=known,
        zone_taken="America/New_York",
        **fields,
    )


def look(facts: DoubtFacts):
    return findings(facts, clock=CLOCK, policy=DEFAULT_POLICY)


def found(**facts) -> list[str]:
    return [finding.text for finding in look(DoubtFacts(**{"start": start(), "registration_open": True, **facts}))]


def kinds(**facts) -> list[FindingKind]:
    return [finding.kind for finding in look(DoubtFacts(**{"start": start(), "registration_open": True, **facts}))]


def test_an_ordinary_event_raises_no_doubt():
    assert found() == []


def silent(days: float, *, syncs: int = 50, before: int = 60) -> Silence:
    return Silence(since=NOW - days * DAY, good_syncs=syncs, before=before)


def test_a_long_silence_of_a_lively_event():
    assert found(silence=silent(8)) == [
        "Registration is open and every sync is good, but nothing changed for 8 days. At the pace of the four weeks "
        "before, about 17 people would have registered."
    ]


@pytest.mark.parametrize(
    "quiet",
    [silent(6, before=600), silent(8, before=20), silent(30, syncs=49), silent(60, before=4), silent(300, before=0)],
)
def test_no_wolf_is_cried_for_a_week_a_small_event_or_missing_syncs(quiet):
    assert found(silence=quiet) == []


def test_a_closed_registration_may_be_silent():
    assert found(silence=silent(30), registration_open=False) == []


def test_counts_that_differ_after_a_full_comparison():
    last = Comparison(at=NOW - timedelta(hours=4), listed=1243, mirror=1240, explained=False)
    assert found(comparison=last) == [
        "RunSignUp listed 1,243 people, the mirror had 1,240 after the full comparison of 02:00 EDT: RunSignUp has 3 "
        "more."
    ]
    assert "the mirror has 1 more" in found(comparison=replace(last, mirror=1244))[0]
    assert found(comparison=replace(last, mirror=1243)) == []
    assert found(comparison=replace(last, explained=True)) == []


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        (start(None), FindingKind.START_MISSING, "no start"),
        (
            replace(start(), starts_at=datetime(1, 1, 1, tzinfo=UTC), window=None),
            FindingKind.START_MISSING,
            "the year 1 as",
        ),
        (
            start(datetime(2026, 6, 6, 4, tzinfo=UTC), is_placeholder=True),
            FindingKind.START_WITHOUT_TIME,
            "at 00:00, which stands for “not set”: it is taken as between 04:00 and 14:00",
        ),
        (
            start(is_placeholder=True, zone="Amerca/New_Yrok"),
            FindingKind.ZONE_UNKNOWN,
            "“Amerca/New_Yrok”, which nobody knows",
        ),
        (start(is_placeholder=True, zone=""), FindingKind.ZONE_UNKNOWN, "The race has no time zone"),
        (
            start(moved_from=SATURDAY + timedelta(hours=1), moved_at=NOW - timedelta(hours=12)),
            FindingKind.START_MOVED,
            "from Sat Jun 6, 09:00 EDT to Sat Jun 6, 08:00 EDT, seen Tue Jun 2, 18:00 EDT",
        ),
        (start(SATURDAY + 731 * DAY), FindingKind.START_FAR_AWAY, "Tue Jun 6 2028"),
        (start(SATURDAY.replace(year=2016)), FindingKind.START_IN_THE_PAST, "Its start is Mon Jun 6 2016"),
    ],
)
def test_implausible_starts(given, kind, text):
    (finding,) = look(DoubtFacts(start=given, registration_open=True))
    assert finding.kind is kind
    assert text in finding.text
    assert finding.what_to_do.endswith(".")


@pytest.mark.parametrize(
    "given",
    [
        # Last year's edition, in which nobody could register after it.
        start(SATURDAY - 365 * DAY, registration_opens_at=SATURDAY - 500 * DAY),
        start(SATURDAY - 20 * DAY),
        start(moved_from=SATURDAY, moved_at=NOW - timedelta(hours=37)),
    ],
)
def test_starts_that_are_no_doubt(given):
    assert look(DoubtFacts(start=given, registration_open=True)) == ()


def test_bibs_and_people_that_are_there_twice():
    bibs = Repeats(count=7, examples=("7", "12", "101", "102", "103"))
    assert found(bibs=bibs, people=Repeats(count=1, examples=("Ada Tidewater",))) == [
        "7 bibs are worn by more than one person: 7, 12, 101, 102, 103 and 2 more.",
        "1 person has more than one registration: Ada Tidewater.",
    ]


def test_an_event_that_is_over_raises_no_doubts_any_more():
    over = start(NOW - timedelta(hours=2), moved_from=SATURDAY, moved_at=NOW)
    assert kinds(start=over, bibs=Repeats(count=1, examples=("7",)), silence=silent(90)) == []


@given(
    bibs=st.integers(0, 9),
    people=st.integers(0, 9),
    listed=st.integers(0, 3),
    placeholder=st.booleans(),
    quiet=st.one_of(
        st.none(), st.builds(silent, st.floats(0, 400), syncs=st.integers(0, 50), before=st.integers(0, 900))
    ),
)
def test_every_finding_says_what_to_do_and_problems_come_first(bibs, people, listed, placeholder, quiet):
    facts = DoubtFacts(
        start=start(is_placeholder=placeholder),
        registration_open=True,
        silence=quiet,
        comparison=Comparison(at=NOW, listed=listed, mirror=1, explained=False),
        bibs=Repeats(count=bibs, examples=("1",) * min(bibs, 5)),
        people=Repeats(count=people, examples=("Ada",) * min(people, 5)),
    )
    all_of_them = look(facts)
    order = [finding.severity for finding in all_of_them]
    assert order == sorted(order, key=lambda severity: severity is Severity.LOOK)
    assert all(finding.what_to_do.endswith(".") and finding.text.endswith(".") for finding in all_of_them)
    assert len({finding.kind for finding in all_of_them}) == len(all_of_them)
