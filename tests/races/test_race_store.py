"""What discovery finds becomes races and events; what it does not list stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from partners.documents import EventDocument, RaceDocument
from partners.models import Credential
from races.models import Event, Race
from races.race_store import races_store
from tests.factories import CredentialFactory, EventFactory, RaceFactory

pytestmark = pytest.mark.django_db


def event_document(event_id: int, **values) -> EventDocument:
    defaults = {
        "name": "5K",
        "starts_at": datetime(2026, 6, 7, 12, 0, tzinfo=UTC),
        "start_is_placeholder": False,
        "ends_at": None,
        "distance": "5K",
        "event_type": "running_race",
        "registration_opens_at": datetime(2026, 1, 1, 5, 0, tzinfo=UTC),
        "raw": '{"event_id": 1}',
    }
    return EventDocument(event_id=event_id, **{**defaults, **values})


def race_document(race_id: int, *events: EventDocument, **values) -> RaceDocument:
    defaults = {
        "name": "Cañon Ridge",
        "timezone": "America/Denver",
        "city": "Cañon Vista",
        "state": "CO",
        "country_code": "US",
        "url": "https://runsignup.com/Race/CO/CanonVista/CanonRidge",
        "next_date": date(2026, 6, 7),
        "is_draft": False,
        "is_private": False,
        "registration_open": True,
        "raw": '{"race_id": 1}',
    }
    return RaceDocument(race_id=race_id, events=events, **{**defaults, **values})


@pytest.fixture
def credential():
    return CredentialFactory()


@pytest.fixture
def store(credential, now):
    def store(*documents, key=credential, at=now):
        return races_store(credential=key, documents=documents, now=at)

    return store


def event_pks(*provider_ids: int) -> frozenset[int]:
    return frozenset(Event.objects.filter(provider_event_id__in=provider_ids).values_list("pk", flat=True))


def row_versions() -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 'race', id, to_jsonb(races_race) - 'seen_at', '' FROM races_race"
            " UNION ALL SELECT 'event', id, to_jsonb(races_event), ctid::text FROM races_event ORDER BY 1, 2"
        )
        return cursor.fetchall()


def test_new_races_and_events_are_stored_with_everything_the_provider_says(credential, store, now):
    report = store(race_document(9, event_document(91), event_document(92, name="10K", starts_at=None)))
    assert (report.races_added, report.events_added, report.rejected) == (1, 2, ())
    race = Race.objects.get()
    assert (race.partner, race.credential, race.provider_race_id) == (credential.partner, credential, 9)
    assert (race.name, race.timezone, race.city, race.state) == ("Cañon Ridge", "America/Denver", "Cañon Vista", "CO")
    assert (race.next_date, race.registration_open, race.is_draft) == (date(2026, 6, 7), True, False)
    assert (race.sync_enabled, race.seen_at, race.gone_at, race.raw) == (True, now, None, '{"race_id": 1}')
    first, second = race.events.order_by("provider_event_id")
    assert (first.name, first.starts_at) == ("5K", datetime(2026, 6, 7, 12, 0, tzinfo=UTC))
    assert (second.name, second.starts_at, second.raw) == ("10K", None, '{"event_id": 1}')
    assert report.reschedule == {first.pk, second.pk}


def test_the_same_answer_twice_only_moves_seen_at(store, now):
    documents = [race_document(9, event_document(91)), race_document(10, event_document(92))]
    store(*documents)
    before = row_versions()
    later = now + timedelta(hours=12)
    with CaptureQueriesContext(connection) as queries:
        report = store(*documents, at=later)
    assert (report.races_changed, report.events_changed, report.reschedule) == (0, 0, frozenset())
    assert row_versions() == before
    assert set(Race.objects.values_list("seen_at", flat=True)) == {later}
    assert [query["sql"].split()[0] for query in queries].count("UPDATE") == 1
    assert not [query for query in queries if query["sql"].startswith("INSERT")]


def test_a_changed_name_is_stored_and_moves_nothing_in_the_schedule(store, now):
    store(race_document(9, event_document(91)))
    later = now + timedelta(hours=12)
    report = store(race_document(9, event_document(91, name="5K Walk"), name="Cañon"), at=later)
    assert (report.races_added, report.races_changed, report.events_added, report.events_changed) == (0, 1, 0, 1)
    assert report.reschedule == frozenset()
    race = Race.objects.get()
    assert (race.name, race.seen_at, race.events.get().name) == ("Cañon", later, "5K Walk")


def test_the_switch_of_staff_survives(store):
    store(race_document(9))
    Race.objects.update(sync_enabled=False)
    store(race_document(9, name="Another name"))
    assert Race.objects.get().sync_enabled is False


@pytest.mark.parametrize(
    "moved",
    [{"starts_at": datetime(2026, 6, 6, 11, 0, tzinfo=UTC)}, {"starts_at": None}, {"start_is_placeholder": True}],
)
def test_fault_18_a_start_that_moved_is_reported_for_the_schedule(store, moved):
    store(race_document(9, event_document(91), event_document(92)))
    report = store(race_document(9, event_document(91, **moved), event_document(92)))
    assert report.reschedule == event_pks(91)


def test_another_zone_moves_all_events_of_the_race_also_those_that_are_not_listed(store):
    store(race_document(9, event_document(91), event_document(92)), race_document(10, event_document(93)))
    report = store(race_document(9, event_document(91), timezone="America/Boise"))
    assert report.reschedule == event_pks(91, 92)


def test_events_that_are_not_listed_any_more_stay(store):
    store(race_document(9, event_document(91)))
    report = store(race_document(9, event_document(95)))
    assert (report.events_added, report.reschedule) == (1, event_pks(95))
    assert set(Event.objects.filter(gone_at=None).values_list("provider_event_id", flat=True)) == {91, 95}


def test_races_that_are_not_listed_any_more_stay(store):
    store(race_document(9), race_document(10))
    store(race_document(10))
    assert Race.objects.filter(gone_at=None).count() == 2


def test_a_race_that_is_seen_again_is_not_gone_and_its_events_are_due(store, now):
    store(race_document(9, event_document(91), event_document(92)))
    Race.objects.update(gone_at=now)
    report = store(race_document(9, event_document(91)))
    assert Race.objects.get().gone_at is None
    assert report.reschedule == event_pks(91, 92)


def test_an_event_that_is_seen_again_is_not_gone(store, now):
    store(race_document(9, event_document(91), event_document(92)))
    Event.objects.update(gone_at=now)
    report = store(race_document(9, event_document(91)))
    assert Event.objects.get(provider_event_id=91).gone_at is None
    assert Event.objects.get(provider_event_id=92).gone_at == now
    assert report.reschedule == event_pks(91)


class TestARaceThatTwoKeysOfAPartnerSee:
    @pytest.fixture
    def second_key(self, credential):
        return CredentialFactory(partner=credential.partner, label="second")

    def test_keeps_its_first_key(self, credential, second_key, store):
        store(race_document(9, event_document(91)))
        report = store(race_document(9, event_document(91)), key=second_key)
        assert Race.objects.get().credential == credential
        assert (report.races_added, report.races_changed, report.reschedule) == (0, 0, frozenset())

    @pytest.mark.parametrize("status", [Credential.Status.REFUSED, Credential.Status.PAUSED])
    def test_goes_to_the_other_key_when_its_own_cannot_be_used(self, credential, second_key, store, status):
        store(race_document(9, event_document(91)))
        Credential.objects.filter(pk=credential.pk).update(status=status)
        report = store(race_document(9, event_document(91)), key=second_key)
        assert Race.objects.get().credential == second_key
        assert report.reschedule == event_pks(91)

    def test_is_another_race_for_another_partner(self, store):
        store(race_document(9, event_document(91)))
        store(race_document(9, event_document(91)), key=CredentialFactory())
        assert Race.objects.filter(provider_race_id=9).count() == 2
        assert Event.objects.filter(provider_event_id=91).count() == 2


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"name": "Ca\x00on"}, "its name contains a NUL character"),
        ({"city": "\ud800"}, "its city contains half a character (a lone surrogate)"),
        ({"raw": "\x00"}, "its raw contains a NUL character"),
        ({"name": "x" * 2_001}, "its name has 2001 characters, at most 2000 are stored"),
    ],
)
def test_a_race_that_cannot_be_stored_is_rejected_and_the_others_are_stored(store, values, reason):
    report = store(race_document(9, event_document(91), **values), race_document(10, event_document(92)))
    assert report.rejected == (f"race 9: {reason}.",)
    assert list(Race.objects.values_list("provider_race_id", flat=True)) == [10]
    assert report.reschedule == event_pks(92)


def test_an_event_that_cannot_be_stored_is_rejected_and_the_rest_of_its_race_is_stored(store):
    report = store(race_document(9, event_document(91, name="5\x00K"), event_document(2**63), event_document(92)))
    assert report.rejected == (
        "race 9, event 91: its name contains a NUL character.",
        f"race 9, event {2**63}: its id is out of range.",
    )
    assert list(Event.objects.values_list("provider_event_id", flat=True)) == [92]


@pytest.mark.parametrize("race_id", [0, -1, 2**63])
def test_an_impossible_race_id_is_rejected(store, race_id):
    assert store(race_document(race_id)).rejected == (f"race {race_id}: its id is out of range.",)


def test_an_overlong_zone_or_country_counts_as_unknown(store):
    document = race_document(9, timezone="Mars/" + "x" * 80, country_code="United States of America")
    assert store(document).rejected == ()
    assert store(document).races_changed == 0
    race = Race.objects.get()
    assert (race.timezone, race.country_code) == ("", "")


def test_a_race_or_event_twice_in_a_page_is_stored_once_and_the_last_counts(store):
    first = race_document(9, event_document(91, name="one"), event_document(91, name="two"), name="one")
    report = store(first, replace(first, name="two"))
    assert (report.races_added, report.events_added) == (1, 1)
    assert (Race.objects.get().name, Event.objects.get().name) == ("two", "two")


def test_no_documents_change_nothing(store):
    report = store()
    assert (report.races_added, report.events_added, report.reschedule) == (0, 0, frozenset())


def test_the_number_of_queries_does_not_depend_on_the_number_of_races(store):
    def page(races: range, name: str):
        return [race_document(race, *(event_document(race * 10 + n, name=name) for n in range(3))) for race in races]

    store(*page(range(1, 3), "5K"))
    with CaptureQueriesContext(connection) as few:
        store(*page(range(1, 4), "6K"))
    with CaptureQueriesContext(connection) as many:
        store(*page(range(1, 100), "7K"))
    assert len(many) == len(few)


def test_rows_made_elsewhere_are_taken_over(store, credential, now):
    race = RaceFactory(credential=credential, provider_race_id=9)
    event = EventFactory(race=race, provider_event_id=91)
    report = store(race_document(9, event_document(91)))
    assert (report.races_added, report.races_changed, report.events_added, report.events_changed) == (0, 1, 0, 1)
    assert report.reschedule == {event.pk}


def test_a_start_that_moves_keeps_where_it_was_and_when_that_was_seen(store, now):
    store(race_document(9, event_document(91)))
    later = now + timedelta(hours=12)
    store(race_document(9, event_document(91, starts_at=datetime(2026, 6, 7, 13, 0, tzinfo=UTC))), at=later)
    event = Event.objects.get()
    assert event.start_moved_from == datetime(2026, 6, 7, 12, 0, tzinfo=UTC)
    assert event.start_moved_at == later
    store(race_document(9, event_document(91, starts_at=datetime(2026, 6, 7, 13, 0, tzinfo=UTC), name="6K")))
    assert Event.objects.get().start_moved_at == later


def test_a_first_time_of_day_in_place_of_none_is_no_move(store):
    midnight = datetime(2026, 6, 7, 6, 0, tzinfo=UTC)
    store(race_document(9, event_document(91, starts_at=midnight, start_is_placeholder=True)))
    store(race_document(9, event_document(91)))
    store(race_document(9, event_document(92, starts_at=None)))
    store(race_document(9, event_document(92)))
    assert set(Event.objects.values_list("start_moved_from", "start_moved_at")) == {(None, None)}


def test_a_start_that_is_taken_away_has_moved_too(store, now):
    store(race_document(9, event_document(91)))
    store(race_document(9, event_document(91, starts_at=None)))
    assert Event.objects.get().start_moved_at == now
