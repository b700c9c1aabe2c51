"""What storing a page may cost, whatever the machine: statements, transactions and memory, no seconds."""

from __future__ import annotations

import tracemalloc

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from partners.runsignup.parsing import decode_participant
from races.ingest import store_participants
from races.models import Participant, ParticipantChange
from tests.factories import EventFactory
from tests.races.provider_pages import listed

PAGE = 200


@pytest.fixture
def event():
    return EventFactory()


@pytest.fixture
def store(event, now):
    def store(first: int, people: int = PAGE) -> None:
        rows = [listed(event, number) for number in range(first, first + people)]
        store_participants(race=event.race, rows=rows, decode=decode_participant, now=now, runs={})

    return store


@pytest.mark.django_db
def test_a_first_load_sends_the_same_statements_for_a_page_of_any_size(store):
    with CaptureQueriesContext(connection) as small:
        store(1, people=1)
    with CaptureQueriesContext(connection) as large:
        store(2, people=PAGE)
    # Events and hashes, lock, blanked events, what is stored, ids, a COPY of participants, and their changes.
    assert len(small) == len(large) == 7
    assert sum("COPY" in str(query["sql"]) for query in large) == 1
    assert (Participant.objects.count(), ParticipantChange.objects.count()) == (PAGE + 1, PAGE + 1)


@pytest.mark.django_db(transaction=True)
def test_a_known_page_takes_no_transaction_id_so_that_its_commit_writes_no_log(store):
    store(1)
    with transaction.atomic():
        store(1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id_if_assigned()")
            assert cursor.fetchone() == (None,)


@pytest.mark.django_db(transaction=True)
def test_the_memory_of_a_page_is_given_back_before_the_next(store):
    store(1)
    tracemalloc.start()
    try:
        store(PAGE + 1)
        tracemalloc.reset_peak()
        kept, _peak = tracemalloc.get_traced_memory()
        for number in range(2, 12):
            store(number * PAGE + 1)
        kept_after, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A page of these rows is some 200 kB: ten of them that stayed would be 2 MB.
    assert kept_after - kept < 200_000
