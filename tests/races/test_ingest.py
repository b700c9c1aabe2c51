"""A page of participants becomes rows and changes, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from partners.documents import ParticipantDocument
from partners.runsignup.parsing import decode_participant
from races.ingest import StoredCounts, store_participants
from races.models import Participant, ParticipantChange, Race
from races.removals import apply_removed
from tests.factories import CredentialFactory, EventFactory, RaceFactory
from tests.races.provider_pages import SECOND, left, listed, moment

pytestmark = pytest.mark.django_db


@pytest.fixture
def event():
    return EventFactory(name="5K")


@pytest.fixture
def store(event, now):
    def store(*rows, at=now, race=event.race, runs=None, decode=decode_participant) -> dict[int, StoredCounts]:
        return store_participants(race=race, rows=rows, decode=decode, now=at, runs=runs or {})

    return store


def counts(*, fetched=0, added=0, changed=0, restored=0, rejected=()) -> StoredCounts:
    return StoredCounts(fetched=fetched, added=added, changed=changed, restored=restored, rejected=rejected)


def changes() -> list[tuple[int, str, dict]]:
    rows = ParticipantChange.objects.values_list("participant__registration_id", "kind", "changes")
    return list(rows.order_by("pk"))


def row_versions() -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, xmin::text, xmax::text, ctid::text FROM races_participant ORDER BY id")
        return cursor.fetchall()


def test_a_new_registration_is_stored_with_everything_the_provider_says(event, store):
    row = listed(event, 7, bib_num=1207, user_id=41)
    assert store(row) == {event.pk: counts(fetched=1, added=1)}
    stored = Participant.objects.get()
    assert (stored.event, stored.registration_id, stored.user_id) == (event, 7, 41)
    assert (stored.first_name, stored.last_name, stored.bib) == ("Zoë", "O’Malley 7", "1207")
    assert (stored.dob.isoformat(), stored.gender, stored.age) == ("1988-02-29", "F", 38)
    assert (stored.registered_at, stored.modified_at) == (
        datetime(2025, 10, 4, 0, 15, tzinfo=UTC),
        moment(SECOND),
    )
    assert stored.amount_paid == Decimal("88.80")
    assert stored.answers == [{"question_id": 55101, "question": "Emergency contact", "response": "Ravi"}]
    assert stored.raw.encode() == row.raw
    assert (stored.removed_at, stored.removed_reason, stored.successor_registration_id) == (None, "", None)


def test_absent_values_are_stored_as_unknown(event, store):
    store(listed(event, 7, modified=None, user_id=None, dob=None, age=None, amount_paid=None, registration_date=None))
    stored = Participant.objects.get()
    assert (stored.dob, stored.age, stored.amount_paid, stored.registered_at) == (None, None, None, None)
    assert (stored.modified_at, stored.user_id, stored.bib) == (None, None, "")


def test_the_changes_name_the_run_that_brought_them(event, store, now):
    other = EventFactory(race=event.race)
    store(listed(event, 7), listed(other, 8), runs={event.pk: 55})
    runs = ParticipantChange.objects.values_list("participant__registration_id", "sync_run_id", "at")
    assert sorted(runs) == [(7, 55, now), (8, None, now)]


def test_a_change_is_noted_once_with_old_and_new_values_as_plain_text(event, store):
    store(listed(event, 7))
    changed = listed(
        event, 7, bib_num="12A", dob="1988-03-01", amount_paid="$1,055.00", registration_date="6/1/2026 8:00"
    )
    assert store(changed) == {event.pk: counts(fetched=1, changed=1)}
    assert store(changed) == {event.pk: counts(fetched=1)}
    assert changes() == [
        (7, "added", {}),
        (
            7,
            "changed",
            {
                "bib": ["", "12A"],
                "dob": ["1988-02-29", "1988-03-01"],
                "amount_paid": ["88.80", "1055.00"],
                "registered_at": ["2025-10-04T00:15:00+00:00", "2026-06-01T12:00:00+00:00"],
            },
        ),
    ]


def test_a_known_page_is_neither_decoded_nor_written_nor_locked(event, store):
    rows = [listed(event, number) for number in range(1, 30)]
    store(*rows)
    before = row_versions()

    def never(raw: bytes) -> ParticipantDocument:
        raise AssertionError("a known row was decoded")

    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert store(*rows, decode=never) == {event.pk: counts(fetched=29)}
    assert row_versions() == before
    assert len(queries) == 1
    for query in queries:
        assert query["sql"].startswith("SELECT")
        assert "lock" not in query["sql"]
        assert "FOR " not in query["sql"]


def test_one_change_in_a_page_touches_one_row_only(event, store):
    store(*[listed(event, number) for number in range(1, 30)])
    before = dict(enumerate(row_versions()))
    store(*[listed(event, number, bib_num=5 if number == 9 else None) for number in range(1, 30)])
    assert [index for index, row in enumerate(row_versions()) if row != before[index]] == [8]


def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(event, store):
    store(listed(event, 1))
    with CaptureQueriesContext(connection) as one:
        store(listed(event, 1, bib_num=1), listed(event, 2))
    with CaptureQueriesContext(connection) as many:
        store(*[listed(event, number, bib_num=2) for number in range(1, 300)])
    assert len(many) == len(one)


def test_other_bytes_with_the_same_content_are_stored_without_a_change(event, store):
    store(listed(event, 7))
    touched = listed(event, 7, modified=SECOND + 5, description="the provider has a new field")
    assert store(touched) == {event.pk: counts(fetched=1)}
    stored = Participant.objects.get()
    assert stored.raw.encode() == touched.raw
    assert stored.modified_at == moment(SECOND + 5)
    assert [kind for _id, kind, _changes in changes()] == ["added"]
    before = row_versions()
    store(touched)
    assert row_versions() == before


def test_a_hash_of_an_older_release_is_no_change(event, store):
    """The content hash may be computed over other columns one day; what did not change must not look changed."""
    store(listed(event, 7))
    Participant.objects.update(content_hash=b"\x01" * 16)
    assert store(listed(event, 7, note="new bytes")) == {event.pk: counts(fetched=1)}
    assert [kind for _id, kind, _changes in changes()] == ["added"]


def test_fault_14_an_older_version_never_overwrites_a_newer_one(event, store):
    store(listed(event, 7, modified=SECOND, bib_num=2))
    assert store(listed(event, 7, modified=SECOND - 1, bib_num=1)) == {event.pk: counts(fetched=1)}
    assert Participant.objects.get().bib == "2"


def test_fault_14_two_changes_in_the_same_second_are_both_taken(event, store):
    store(listed(event, 7, modified=SECOND, bib_num=1))
    store(listed(event, 7, modified=SECOND, bib_num=2))
    assert Participant.objects.get().bib == "2"
    assert [kind for _id, kind, _changes in changes()] == ["added", "changed"]


@pytest.mark.parametrize(("first", "second"), [(SECOND, SECOND + 1), (SECOND + 1, SECOND), (None, SECOND)])
def test_fault_14_a_registration_twice_in_a_page_is_stored_in_its_last_version(event, store, first, second):
    bibs = {first: 1, second: 2}
    stored = store(listed(event, 7, modified=first, bib_num=1), listed(event, 7, modified=second, bib_num=2))
    assert stored == {event.pk: counts(fetched=2, added=1)}
    assert Participant.objects.get().bib == str(bibs[max(first or 0, second)])


def test_of_two_equal_times_in_a_page_the_last_row_counts(event, store):
    store(listed(event, 7, bib_num=1), listed(event, 7, bib_num=2))
    assert Participant.objects.get().bib == "2"


def test_fault_15_a_change_time_in_the_future_does_not_freeze_the_registration(event, store, now):
    store(listed(event, 7, modified=int(now.timestamp()) + 86_400, bib_num=1))
    store(listed(event, 7, modified=int(now.timestamp()), bib_num=2))
    assert Participant.objects.get().bib == "2"


def test_rows_are_stored_by_their_own_event_and_counted_there(event, store):
    other = EventFactory(race=event.race, name="10K")
    stored = store(listed(event, 7), listed(other, 8), listed(other, 9))
    assert stored == {event.pk: counts(fetched=1, added=1), other.pk: counts(fetched=2, added=2)}
    assert list(other.participants.order_by("pk").values_list("registration_id", flat=True)) == [8, 9]


def test_a_row_of_an_unknown_event_is_rejected_and_shown_with_the_first_event_of_the_visit(event, store):
    other = EventFactory(race=event.race)
    stranger = EventFactory()
    stored = store(listed(event, 7), listed(stranger, 8), runs={other.pk: 1, event.pk: 2})
    assert stored[event.pk] == counts(fetched=1, added=1)
    (rejected,) = stored[other.pk].rejected
    assert rejected.registration_id == 8
    assert rejected.reason == f"its event {stranger.provider_event_id} is not one of this race."
    assert list(Participant.objects.values_list("registration_id", flat=True)) == [7]


def test_an_empty_page_does_nothing(store):
    assert store() == {}


def test_fault_23_a_registration_under_two_partners_is_two_rows_and_neither_sees_the_other(now):
    mine, theirs = (
        EventFactory(race=RaceFactory(credential=CredentialFactory(), provider_race_id=5), provider_event_id=6)
        for _ in range(2)
    )
    for event, bib in ((mine, 1), (theirs, 2)):
        stored = store_participants(
            race=event.race, rows=[listed(event, 7, bib_num=bib)], decode=decode_participant, now=now, runs={}
        )
        assert stored == {event.pk: counts(fetched=1, added=1)}
    apply_removed(race=mine.race, rows=[left(7)], now=now, runs={})
    assert Participant.objects.get(event=mine).removed_reason == "removed"
    assert Participant.objects.get(event=theirs).removed_at is None
    assert Participant.objects.get(event=theirs).bib == "2"


def test_a_removed_registration_that_changed_after_its_removal_is_back(event, store, now):
    store(listed(event, 7, bib_num=1))
    apply_removed(race=event.race, rows=[left(7, at=SECOND + 10, reason="deferred")], now=now, runs={})
    assert store(listed(event, 7, modified=SECOND + 20, bib_num=2)) == {event.pk: counts(fetched=1, restored=1)}
    stored = Participant.objects.get()
    assert (stored.removed_at, stored.removed_reason, stored.successor_registration_id) == (None, "", None)
    assert changes()[-1] == (7, "restored", {"removed_reason": ["deferred", ""], "bib": ["1", "2"]})


def test_fault_14_who_is_removed_and_taken_back_in_the_same_second_is_back(event, store, now):
    second = int(now.timestamp())
    row = listed(event, 7, modified=second)
    store(listed(event, 7, modified=second - 60))
    apply_removed(race=event.race, rows=[left(7, at=second)], now=now, runs={})
    assert store(row) == {event.pk: counts(fetched=1, restored=1)}


def test_a_list_fetched_before_the_removal_does_not_bring_anybody_back(event, store, now):
    row = listed(event, 7, modified=int(now.timestamp()) - 60)
    store(row)
    apply_removed(race=event.race, rows=[left(7, at=int(now.timestamp()))], now=now, runs={})
    assert store(row) == {event.pk: counts(fetched=1)}
    assert Participant.objects.get().removed_reason == "removed"


def test_who_is_listed_long_after_the_removal_is_back_though_nothing_else_changed(event, store, now):
    """The provider may take a removal back without touching the registration's own time."""
    row = listed(event, 7, modified=int(now.timestamp()) - 60)
    store(row)
    apply_removed(race=event.race, rows=[left(7, at=int(now.timestamp()))], now=now, runs={})
    later = now + timedelta(hours=1)
    assert store(row, at=later) == {event.pk: counts(fetched=1, restored=1)}
    assert store(row, at=later) == {event.pk: counts(fetched=1)}


class TestARegistrationThatTurnsUpInAnotherEventUnderTheSameId:
    """RunSignUp gives a new id at a move. Should it not, nobody may stand on two start lists."""

    @pytest.fixture
    def longer(self, event):
        return EventFactory(race=event.race, name="10K")

    def test_leaves_the_old_event(self, event, longer, store):
        store(listed(event, 7, bib_num=12))
        assert store(listed(longer, 7, bib_num=12)) == {longer.pk: counts(fetched=1, added=1)}
        old = Participant.objects.get(event=event)
        assert (old.removed_reason, old.successor_registration_id) == ("transferred", 7)
        kinds = [(kind, changed) for _id, kind, changed in changes()]
        assert kinds[1] == (
            "transferred",
            {
                "removed_reason": ["", "transferred"],
                "successor_registration_id": [None, 7],
                "event": ["5K", "10K"],
                "bib": ["12", "12"],
            },
        )

    def test_stays_in_both_when_the_page_lists_both(self, event, longer, store):
        store(listed(event, 7))
        store(listed(event, 7), listed(longer, 7))
        assert Participant.objects.filter(removed_at=None).count() == 2

    def test_stays_where_its_newer_version_is(self, event, longer, store):
        store(listed(event, 7, modified=SECOND + 1))
        store(listed(longer, 7, modified=SECOND))
        assert Participant.objects.get(event=event).removed_at is None

    def test_is_removed_once_and_from_where_it_was(self, event, longer, store, now):
        store(listed(event, 7))
        store(listed(longer, 7))
        for _ in range(2):
            apply_removed(race=event.race, rows=[left(7, at=SECOND + 1)], now=now, runs={})
        assert Participant.objects.get(event=event).removed_reason == "transferred"
        assert Participant.objects.get(event=longer).removed_reason == "removed"


def test_a_race_of_another_partner_with_the_same_event_id_is_left_alone(event, store):
    namesake = EventFactory(provider_event_id=event.provider_event_id)
    store(listed(event, 7))
    assert isinstance(namesake.race, Race)
    assert not namesake.participants.exists()
