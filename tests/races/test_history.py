"""Who had which bib when: reconstructed from the present rows and the changes on record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from races.history import bib_holdings, states_of
from races.models import ParticipantChange
from tests.factories import EventFactory, ParticipantFactory, RaceFactory


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-06-06T{clock}").replace(tzinfo=UTC)


@dataclass(kw_only=True)
class Someone:
    first_name: str = "Ada"
    middle_name: str = ""
    last_name: str = "Tidewater"
    bib: str = ""
    removed_at: datetime | None = None


@dataclass(kw_only=True)
class Noted:
    kind: str
    at: datetime
    changes: dict = field(default_factory=dict)


def told(person, *changes):
    return [
        (state.name, state.bib, state.registered, state.since, state.until, state.ended)
        for state in states_of(person, changes)
    ]


def test_who_never_changed_is_who_they_are_since_they_registered():
    assert told(Someone(bib="7"), Noted(kind="added", at=at("06:00"))) == [
        ("Ada Tidewater", "7", True, at("06:00"), None, "")
    ]


def test_each_bib_and_each_name_has_its_own_time():
    states = told(
        Someone(bib="1300", last_name="Harper"),
        Noted(kind="added", at=at("06:00")),
        Noted(kind="changed", at=at("06:30"), changes={"bib": ["", "1207"]}),
        Noted(kind="changed", at=at("06:40"), changes={"phone": ["1", "2"]}),
        Noted(kind="changed", at=at("07:12"), changes={"bib": ["1207", "1300"]}),
        Noted(kind="changed", at=at("07:20"), changes={"last_name": ["Tidewater", "Harper"]}),
    )

    assert states == [
        ("Ada Tidewater", "", True, at("06:00"), at("06:30"), "bib changed to 1207"),
        ("Ada Tidewater", "1207", True, at("06:30"), at("07:12"), "bib changed to 1300"),
        ("Ada Tidewater", "1300", True, at("07:12"), at("07:20"), "name changed"),
        ("Ada Harper", "1300", True, at("07:20"), None, ""),
    ]


def test_a_bib_ends_when_its_holder_left_by_the_providers_own_time_and_begins_again_when_restored():
    left = {"removed_reason": ["", "removed"], "removed_at": [None, "2026-06-06T07:05:00+00:00"]}
    states = told(
        Someone(bib="9"),
        Noted(kind="added", at=at("06:00")),
        Noted(kind="removed", at=at("07:12"), changes=left),
        Noted(kind="restored", at=at("07:40"), changes={"removed_reason": ["removed", ""], "bib": ["7", "9"]}),
    )

    assert [(bib, registered, since, until, why) for _name, bib, registered, since, until, why in states] == [
        ("7", True, at("06:00"), at("07:05"), "withdrew"),
        ("7", False, at("07:05"), at("07:40"), "registered again"),
        ("9", True, at("07:40"), None, ""),
    ]


def test_the_bib_that_a_transfer_names_is_the_next_registrations_and_not_taken_back_here():
    moved = {"removed_reason": ["", "transferred"], "event": ["5K", "10K"], "bib": ["1207", ""]}
    states = told(
        Someone(bib="1207", removed_at=at("07:12")),
        Noted(kind="added", at=at("06:00")),
        Noted(kind="transferred", at=at("07:12"), changes=moved),
        # What became known later about the same departure.
        Noted(kind="transferred", at=at("07:30"), changes={"removed_reason": ["missing", "transferred"]}),
    )

    assert [(bib, registered, until, why) for _name, bib, registered, _since, until, why in states] == [
        ("1207", True, at("07:12"), "moved to 10K"),
        ("1207", False, None, ""),
    ]


def test_without_a_note_of_the_registration_the_first_state_has_no_beginning():
    (first, _second) = states_of(Someone(bib="8"), [Noted(kind="changed", at=at("07:00"), changes={"bib": ["7", "8"]})])

    assert first.since is None
    assert first.holds_at(at("06:59"))
    assert not first.holds_at(at("07:00"))


def note(person, kind, clock, **changes):
    return ParticipantChange.objects.create(participant=person, kind=kind, at=at(clock), changes=changes)


@pytest.mark.django_db
def test_all_holders_of_a_bib_over_time_are_found_in_their_order():
    race = RaceFactory()
    event = EventFactory(race=race)
    ada, bo, cy = (ParticipantFactory(event=event, first_name=name, bib=bib) for name, bib in
                   [("Ada", "1300"), ("Bo", "1207"), ("Cy", "1207")])  # fmt: skip
    note(ada, "added", "06:00")
    note(ada, "changed", "07:12", bib=["1207", "1300"])
    note(bo, "added", "05:00")
    note(bo, "changed", "07:13", bib=["", "1207"])
    note(bo, "removed", "07:30", removed_reason=["", "removed"])
    bo.removed_at = at("07:30")
    bo.save()
    note(cy, "added", "07:31")
    ParticipantFactory(event=EventFactory(race=race), first_name="Elsewhere", bib="1207")

    holdings = bib_holdings(events=[event.pk], bib=" 1207 ")

    assert [(each.state.name.split()[0], each.state.since, each.state.until) for each in holdings] == [
        ("Ada", at("06:00"), at("07:12")),
        ("Bo", at("07:13"), at("07:30")),
        ("Cy", at("07:31"), None),
    ]
    assert [each.state.holds_at(at("07:20")) for each in holdings] == [False, True, False]


@pytest.mark.django_db
def test_capitals_do_not_matter_in_a_bib_and_nothing_is_nobodys():
    event = EventFactory()
    ParticipantFactory(event=event, bib="A12")
    ParticipantFactory(event=event, bib="")

    assert len(bib_holdings(events=[event.pk], bib="a12")) == 1
    assert bib_holdings(events=[event.pk], bib=" \x00") == ()
    assert bib_holdings(events=[event.pk], bib="99") == ()


@pytest.mark.django_db
def test_it_asks_the_same_for_1_and_for_30_holders():
    event = EventFactory()

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert bib_holdings(events=[event.pk], bib="7")
        return len(captured)

    person = ParticipantFactory(event=event, bib="7")
    before = queries()
    for _ in range(29):
        note(ParticipantFactory(event=event, bib="7"), "added", "06:00")
    note(person, "changed", "06:10", bib=["6", "7"])

    assert queries() == before == 2
