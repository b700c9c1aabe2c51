"""Who left: the provider says so, or a complete list no longer has them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from partners.runsignup.parsing import decode_participant
from races.ingest import store_participants
from races.models import Participant, ParticipantChange
from races.removals import MissingCounts, RemovedCounts, apply_removed, mark_missing
from tests.factories import EventFactory, ParticipantFactory
from tests.races.provider_pages import SECOND, left, listed, moment

pytestmark = pytest.mark.django_db

LEFT = moment(SECOND).isoformat()


@pytest.fixture
def event():
    return EventFactory(name="5K")


@pytest.fixture
def longer(event):
    return EventFactory(race=event.race, name="10K")


@pytest.fixture
def store(event, now):
    return lambda *rows: store_participants(race=event.race, rows=rows, decode=decode_participant, now=now, runs={})


@pytest.fixture
def remove(event, now):
    return lambda *rows, runs=None: apply_removed(race=event.race, rows=rows, now=now, runs=runs or {})


def state(event, registration_id):
    row = Participant.objects.get(event=event, registration_id=registration_id)
    return row.removed_at, row.removed_reason, row.successor_registration_id


def changes() -> list[tuple[int, str, dict]]:
    rows = ParticipantChange.objects.exclude(kind="added").order_by("pk")
    return list(rows.values_list("participant__registration_id", "kind", "changes"))


def row_versions() -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, xmin::text, ctid::text FROM races_participant ORDER BY id")
        return cursor.fetchall()


@pytest.mark.parametrize("reason", ["removed", "cleared", "deferred"])
def test_fault_19_who_left_stays_with_time_and_reason(event, store, remove, reason):
    store(listed(event, 7), listed(event, 8))
    assert remove(left(7, at=SECOND + 9, reason=reason), runs={event.pk: 55}) == {event.pk: RemovedCounts(removed=1)}
    assert state(event, 7) == (moment(SECOND + 9), reason, None)
    assert state(event, 8) == (None, "", None)
    said = {"removed_reason": ["", reason], "removed_at": [None, moment(SECOND + 9).isoformat()]}
    assert changes() == [(7, "removed", said)]
    assert ParticipantChange.objects.get(kind="removed").sync_run_id == 55


def test_trap_18_fault_19_a_transfer_links_to_the_successor_and_tells_where_to_and_what_became_of_the_bib(
    event, longer, store, remove
):
    store(
        listed(event, 7, bib_num=1207), listed(longer, 42), listed(event, 8, bib_num=12), listed(longer, 43, bib_num=12)
    )
    remove(left(7, reason="transferred", successor=42), left(8, reason="transferred", successor=43))
    assert state(event, 7) == (moment(SECOND), "transferred", 42)
    assert Participant.objects.filter(removed_at=None).count() == 2
    linked = {"removed_reason": ["", "transferred"], "removed_at": [None, LEFT], "event": ["5K", "10K"]}
    assert changes() == [
        (7, "transferred", {**linked, "successor_registration_id": [None, 42], "bib": ["1207", ""]}),
        (8, "transferred", {**linked, "successor_registration_id": [None, 43], "bib": ["12", "12"]}),
    ]


def test_a_transfer_to_somebody_whom_the_mirror_has_not_yet_keeps_the_id(event, store, remove):
    store(listed(event, 7))
    remove(left(7, reason="transferred", successor=42))
    said = {"removed_reason": ["", "transferred"], "removed_at": [None, LEFT], "successor_registration_id": [None, 42]}
    assert changes() == [(7, "transferred", said)]


def test_fault_19_who_registers_again_is_a_new_participant_beside_the_old_one(event, store, remove):
    store(listed(event, 7))
    remove(left(7))
    store(listed(event, 70))
    assert state(event, 7)[1] == "removed"
    assert state(event, 70) == (None, "", None)


def test_the_registration_is_found_in_whatever_event_of_the_race_it_is(event, longer, store, remove):
    store(listed(longer, 7))
    assert remove(left(7)) == {longer.pk: RemovedCounts(removed=1)}


def test_a_registration_of_another_race_is_not_touched(event, remove):
    stranger = ParticipantFactory(registration_id=7)
    assert remove(left(7)) == {}
    stranger.refresh_from_db()
    assert stranger.removed_at is None


def test_trap_20_a_registration_that_came_and_went_between_two_looks_is_ignored(remove):
    assert remove(left(7)) == {}
    assert not Participant.objects.exists()


def test_the_same_removal_twice_changes_nothing(event, longer, store, remove):
    store(listed(event, 7), listed(longer, 42))
    rows = [left(7, reason="transferred", successor=42), left(42, at=None, reason="deferred")]
    remove(*rows)
    before = row_versions(), changes()
    assert remove(*rows) == {}
    assert (row_versions(), changes()) == before


def test_trap_21_who_changed_after_the_removal_stays(event, store, remove):
    store(listed(event, 7, modified=SECOND + 1), listed(event, 8, modified=SECOND))
    assert remove(left(7, at=SECOND), left(8, at=SECOND)) == {event.pk: RemovedCounts(removed=1)}
    assert state(event, 7) == (None, "", None)


def test_fault_15_a_change_time_in_the_future_does_not_prevent_the_removal(event, store, remove, now):
    store(listed(event, 7, modified=int(now.timestamp()) + 86_400))
    assert remove(left(7, at=int(now.timestamp()))) == {event.pk: RemovedCounts(removed=1)}


@pytest.mark.parametrize("ahead", [None, 86_400])
def test_a_removal_without_a_believable_time_counts_from_now(event, store, remove, now, ahead):
    store(listed(event, 7))
    row = left(7, at=ahead and int(now.timestamp()) + ahead)
    remove(row)
    assert state(event, 7)[0] == now
    assert remove(row) == {}


def test_a_reason_that_becomes_known_later_is_taken_over(event, store, remove, now):
    store(listed(event, 7), *[listed(event, number) for number in range(100, 110)])
    mark_missing(
        event=event, seen=set(range(100, 110)), present_before={7, *range(100, 110)}, begun=now, now=now, run=5
    )
    assert state(event, 7) == (now, "missing", None)
    assert remove(left(7, at=SECOND + 5, reason="transferred", successor=42)) == {}
    assert state(event, 7) == (moment(SECOND + 5), "transferred", 42)
    assert [kind for _id, kind, _changes in changes()] == ["removed", "transferred"]


def test_a_successor_that_becomes_known_later_is_taken_over_also_with_an_earlier_time(event, store, remove):
    store(listed(event, 7))
    remove(left(7, at=SECOND + 60, reason="transferred"))
    remove(left(7, at=SECOND, reason="transferred", successor=42))
    assert state(event, 7) == (moment(SECOND + 60), "transferred", 42)


def test_an_older_removal_does_not_overwrite_a_newer_one(event, store, remove):
    store(listed(event, 7))
    remove(left(7, at=SECOND + 60, reason="deferred"))
    remove(left(7, at=SECOND, reason="cleared"))
    assert state(event, 7) == (moment(SECOND + 60), "deferred", None)


def test_of_two_removals_of_one_registration_the_later_counts(event, store, remove):
    store(listed(event, 7))
    remove(left(7, at=SECOND + 60, reason="deferred"), left(7, at=SECOND, reason="cleared"))
    assert state(event, 7) == (moment(SECOND + 60), "deferred", None)


@pytest.mark.parametrize("reason", ["", "x" * 21, "a\x00b", "missing"])
def test_a_reason_that_cannot_be_kept_is_removed(event, store, remove, reason):
    store(listed(event, 7))
    remove(left(7, reason=reason))
    assert state(event, 7)[1] == "removed"


def test_impossible_ids_in_a_removal_are_ignored(event, store, remove):
    store(listed(event, 7))
    remove(left(2**63), left(-(2**70)), left(7, successor=2**63))
    assert state(event, 7) == (moment(SECOND), "removed", None)


class TestWhoIsMissingFromACompleteList:
    @pytest.fixture
    def mark(self, event, now):
        return lambda seen, present: mark_missing(
            event=event, seen=seen, present_before=present, begun=now, now=now, run=55
        )

    def test_has_left_without_a_reason(self, event, store, mark, now):
        store(listed(event, 7), listed(event, 8))
        assert mark({8}, {7, 8}) == MissingCounts(removed=1, held=0)
        assert state(event, 7) == (now, "missing", None)
        assert state(event, 8) == (None, "", None)
        assert changes() == [(7, "removed", {"removed_reason": ["", "missing"]})]
        assert ParticipantChange.objects.get(kind="removed").sync_run_id == 55

    def test_is_back_once_listed_again(self, event, store, mark):
        row = listed(event, 7)
        store(row)
        mark(set(), {7})
        assert store(row)[event.pk].restored == 1
        assert state(event, 7) == (None, "", None)

    def test_is_not_who_registered_during_the_fetch(self, event, store, mark):
        store(listed(event, 7), listed(event, 8))
        assert mark({7}, {7}) == MissingCounts(removed=0, held=0)
        assert state(event, 8) == (None, "", None)

    def test_is_not_who_was_away_only_while_that_page_was_read(self, event, store, now):
        store(listed(event, 7), listed(event, 8))
        begun = moment(SECOND) - timedelta(seconds=30)
        later = now + timedelta(hours=1)
        counts = mark_missing(event=event, seen={8}, present_before={7, 8}, begun=begun, now=later, run=55)
        assert counts == MissingCounts(removed=0, held=0)
        assert state(event, 7) == (None, "", None)

    def test_is_not_who_left_by_name_meanwhile(self, event, store, remove, mark):
        store(listed(event, 7), listed(event, 8))
        remove(left(7, reason="deferred"))
        assert mark({8}, {7, 8}) == MissingCounts(removed=0, held=0)
        assert state(event, 7)[1] == "deferred"

    def test_is_sought_in_this_event_only(self, event, longer, store, mark):
        store(listed(longer, 7))
        assert mark(set(), {7}) == MissingCounts(removed=0, held=0)
        assert state(longer, 7) == (None, "", None)

    @pytest.mark.parametrize(
        ("people", "missing", "counts"),
        [
            (20, 20, MissingCounts(removed=20, held=0)),
            (21, 21, MissingCounts(removed=0, held=21)),
            (105, 21, MissingCounts(removed=21, held=0)),
            (104, 21, MissingCounts(removed=0, held=21)),
            (100, 90, MissingCounts(removed=0, held=90)),
        ],
    )
    def test_fault_20_more_than_20_people_and_more_than_20_percent_are_held(
        self, event, store, mark, people, missing, counts
    ):
        store(*[listed(event, number) for number in range(1, people + 1)])
        present = set(range(1, people + 1))
        assert mark(set(range(missing + 1, people + 1)), present) == counts
        assert Participant.objects.filter(removed_at=None).count() == people - counts.removed

    def test_fault_20_those_who_left_by_name_do_not_count(self, event, store, remove, mark):
        store(*[listed(event, number) for number in range(1, 31)])
        remove(*[left(number) for number in range(1, 26)])
        assert mark(set(range(28, 31)), set(range(1, 31))) == MissingCounts(removed=2, held=0)


def test_a_removal_costs_the_same_number_of_queries_for_one_and_for_many(
    event, store, remove, django_assert_num_queries
):
    store(*[listed(event, number) for number in range(1, 61)])
    for numbers in ([1], range(2, 61)):
        with django_assert_num_queries(4):
            remove(*[left(number) for number in numbers])


def test_a_removal_is_of_the_moment_the_provider_names_even_if_we_learn_it_late(event, store, remove, now):
    store(listed(event, 7))
    remove(left(7, at=SECOND))
    assert state(event, 7)[0] < now - timedelta(days=1)
