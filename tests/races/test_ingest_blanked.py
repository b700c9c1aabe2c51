"""A blanked event that is listed again: the mirror follows in what is kept, and contact data stays away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from partners.runsignup.parsing import decode_participant
from races.ingest import store_participants
from races.models import Event, Participant, ParticipantChange
from races.participant_columns import BLANK
from races.retention import retention_apply
from tests.factories import EventFactory
from tests.races import provider_pages

pytestmark = pytest.mark.django_db


@pytest.fixture
def event(now):
    return EventFactory(starts_at=now - timedelta(days=740))


def listed(event, registration_id: int, **fields):
    return provider_pages.listed(event, registration_id, registration_date="10/3/2023 20:15", **fields)


def store(event, rows, now):
    return store_participants(race=event.race, rows=rows, decode=decode_participant, now=now, runs={})[event.pk]


def changes() -> list[tuple[str, dict]]:
    return list(ParticipantChange.objects.order_by("pk").values_list("kind", "changes"))


def contact_of(registration_id: int) -> dict[str, object]:
    return Participant.objects.filter(registration_id=registration_id).values(*BLANK).get()


def test_the_same_list_again_writes_nothing_and_brings_no_contact_data_back(event, now):
    page = [listed(event, 1, bib_num="7"), listed(event, 2)]
    store(event, page, now)
    retention_apply(months=24, now=now)
    before = changes()

    with CaptureQueriesContext(connection) as captured:
        counts = store(event, page, now)

    assert (counts.fetched, counts.added, counts.changed, counts.restored) == (2, 0, 0, 0)
    assert not [query for query in captured if "INSERT INTO races_participant" in query["sql"]]
    assert contact_of(1) == BLANK
    assert Participant.objects.get(registration_id=1).raw == ""
    assert changes() == before


def test_what_is_kept_still_follows_the_provider(event, now):
    store(event, [listed(event, 1, bib_num="7")], now)
    retention_apply(months=24, now=now)

    counts = store(event, [listed(event, 1, bib_num="8", email="new@example.test"), listed(event, 3)], now)

    assert (counts.changed, counts.added) == (1, 1)
    assert changes()[1:] == [("changed", {"bib": ["7", "8"]}), ("added", {})]
    assert contact_of(1) == contact_of(3) == BLANK


def test_an_event_that_is_open_again_is_filled_without_any_change_on_record(event, now):
    page = [listed(event, 1, bib_num="7")]
    store(event, page, now)
    retention_apply(months=24, now=now)
    Event.objects.update(blanked_at=None)
    before = changes()

    store(event, page, now)

    assert contact_of(1)["email"] == "zoe@example.test"
    assert Participant.objects.get(registration_id=1).raw
    assert changes() == before
    assert store(event, [listed(event, 1, bib_num="7", phone="303-555-0199")], now).changed == 1
    assert changes()[-1] == ("changed", {"phone": ["303-555-0142", "303-555-0199"]})
