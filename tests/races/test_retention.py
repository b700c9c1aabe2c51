"""Retention: what is blanked when an event is long over, what stays, and that nothing comes back by itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from races import retention
from races.models import Participant, ParticipantChange, StartListExport
from races.participant_columns import BLANK
from races.retention import events_to_blank, months_before, people_to_blank, retention_apply
from tests.factories import EventFactory, ParticipantFactory

pytestmark = pytest.mark.django_db
MONTHS = 24
CONTACT = {
    "email": "ada@example.test",
    "phone": "555-0100",
    "dob": date(1989, 2, 3),
    "street": "1 Pier Rd",
    "zipcode": "04101",
    "amount_paid": Decimal("45.00"),
    "answers": [{"question_id": 1, "question": "Allergies?", "response": "bees"}],
}
KEPT = {
    "bib": "1207",
    "chip": "C1",
    "gender": "F",
    "age": 37,
    "city": "Bath",
    "state": "ME",
    "team_name": "Gulls",
    "user_id": 5,
    "is_anonymous": True,
}


@pytest.fixture
def old_event(now):
    return EventFactory(starts_at=now - timedelta(days=740))


def person(event, **fields) -> Participant:
    fields = {"raw": '{"email": "ada@example.test"}', "raw_hash": b"r" * 16, "content_hash": b"c" * 16, **fields}
    return ParticipantFactory(event=event, **{**CONTACT, **KEPT, **fields})


def apply(now, **options):
    return retention_apply(**{"months": MONTHS, "now": now, **options})


def test_contact_data_and_raw_text_go_and_what_results_need_stays(old_event, now):
    ada = person(old_event)

    report = apply(now)

    ada.refresh_from_db()
    assert {name: getattr(ada, name) for name in BLANK} == BLANK
    assert set(BLANK) == set(CONTACT)
    assert (ada.raw, bytes(ada.raw_hash), bytes(ada.content_hash)) == ("", b"", b"")
    assert {name: getattr(ada, name) for name in KEPT} == KEPT
    assert (ada.first_name, ada.removed_at) == ("Ada", None)
    assert (report.events, report.people, report.finished) == (1, 1, True)
    old_event.refresh_from_db()
    assert old_event.blanked_at == now


def test_the_history_keeps_that_a_field_changed_but_not_from_what_to_what(old_event, now):
    ada = person(old_event)
    change = ParticipantChange.objects.create(
        participant=ada,
        kind="changed",
        at=now,
        changes={"email": ["a@example.test", "ada@example.test"], "answers": [[], [1]], "bib": ["1", "1207"]},
    )
    bib_only = ParticipantChange.objects.create(participant=ada, kind="changed", at=now, changes={"bib": ["", "1"]})

    assert apply(now).changes == 1

    change.refresh_from_db()
    bib_only.refresh_from_db()
    assert change.kind == "changed"
    assert change.changes == {"email": [None, None], "answers": [None, None], "bib": ["1", "1207"]}
    assert bib_only.changes == {"bib": ["", "1"]}


def test_people_who_left_are_blanked_too(old_event, now):
    gone = person(old_event, removed_at=now, removed_reason="transferred", raw_hash=b"")

    apply(now)

    gone.refresh_from_db()
    assert (gone.email, gone.raw, gone.removed_reason) == ("", "", "transferred")


@pytest.mark.parametrize(
    "dates",
    [
        {"starts_at": None},
        {"starts_at": datetime(2024, 6, 6, 10, 1, tzinfo=UTC)},
        {"starts_at": datetime(2023, 6, 6, tzinfo=UTC), "ends_at": datetime(2025, 6, 6, tzinfo=UTC)},
        # What stands for "not known yet" is not long ago.
        {"starts_at": datetime(1, 1, 1, 12, tzinfo=UTC)},
    ],
)
def test_what_is_not_long_enough_over_keeps_everything(dates, now):
    event = EventFactory(**dates)
    ada = person(event)

    assert apply(now).events == 0

    ada.refresh_from_db()
    event.refresh_from_db()
    assert (ada.email, event.blanked_at) == ("ada@example.test", None)


def test_an_end_in_year_9999_keeps_nothing_for_ever(now):
    person(EventFactory(starts_at=now - timedelta(days=740), ends_at=datetime(9999, 1, 1, tzinfo=UTC)))

    assert apply(now).people == 1


def test_an_event_in_which_people_still_register_is_not_over_whatever_its_date_says(old_event, now):
    person(old_event)
    person(old_event, registered_at=now - timedelta(days=3))

    assert apply(now).events == 0


def test_zero_months_keep_everything_for_ever(old_event, now):
    ada = person(old_event)

    assert apply(now, months=0).people == 0
    ada.refresh_from_db()
    assert ada.email == "ada@example.test"


def test_it_goes_on_where_it_stopped_and_a_second_run_does_nothing(old_event, now, monkeypatch):
    monkeypatch.setattr(retention, "PEOPLE_PER_TRANSACTION", 2)
    for _ in range(5):
        person(old_event)
    told = []

    first = apply(now, tell=told.append, stop=lambda: True)

    assert (first.events, first.people, first.finished) == (0, 2, False)
    old_event.refresh_from_db()
    assert old_event.blanked_at is None
    assert people_to_blank(events_to_blank(months=MONTHS, now=now)) == 3

    second = apply(now, tell=told.append)
    assert (second.events, second.people, second.finished) == (1, 3, True)
    assert [blanked.people for blanked in told] == [2, 2, 1]

    third = apply(now)
    assert (third.events, third.people, third.changes) == (0, 0, 0)


def test_an_event_whose_date_moves_or_whose_time_is_extended_is_open_again(old_event, now):
    apply(now)

    assert apply(now, months=36).reopened == 1
    old_event.refresh_from_db()
    assert old_event.blanked_at is None

    apply(now)
    old_event.starts_at = now + timedelta(days=1)
    old_event.save(update_fields=["starts_at"])
    assert apply(now).reopened == 1


@pytest.mark.parametrize(
    ("at", "months", "before"),
    [
        (datetime(2026, 6, 6, 10, tzinfo=UTC), 24, datetime(2024, 6, 6, 10, tzinfo=UTC)),
        (datetime(2026, 3, 31, tzinfo=UTC), 1, datetime(2026, 2, 28, tzinfo=UTC)),
        (datetime(2026, 1, 15, tzinfo=UTC), 1, datetime(2025, 12, 15, tzinfo=UTC)),
    ],
)
def test_months_are_calendar_months(at, months, before):
    assert months_before(at, months) == before


def test_start_lists_that_were_taken_away_long_ago_are_forgotten(old_event, now):
    for days in (740, 3):
        StartListExport.objects.create(
            race=old_event.race, made_at=now - timedelta(days=days), format="csv", rows=0, heading={}, snapshot=b""
        )

    assert apply(now, months=0).exports == 0
    assert apply(now).exports == 1
    assert StartListExport.objects.get().made_at == now - timedelta(days=3)
