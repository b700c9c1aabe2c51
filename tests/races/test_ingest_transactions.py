"""Pages, transactions and several writers: nothing half stored, nothing older on top."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from partners.runsignup.parsing import decode_participant
from races.ingest import store_participants
from races.models import Participant, ParticipantChange
from tests.factories import EventFactory
from tests.races.provider_pages import SECOND, listed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def event():
    return EventFactory()


@pytest.fixture
def store(event, now):
    return lambda *rows: store_participants(race=event.race, rows=rows, decode=decode_participant, now=now, runs={})


def bibs() -> dict[int, str]:
    return dict(Participant.objects.values_list("registration_id", "bib"))


def locks() -> list[str]:
    """What this transaction holds beside the weak locks of reading."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT locktype || ' ' || mode FROM pg_locks WHERE pid = pg_backend_pid()"
            " AND mode <> 'AccessShareLock' AND locktype <> 'virtualxid'"
        )
        return [row[0] for row in cursor]


def row_versions() -> list[tuple]:
    """Who wrote each row, who locked it, and where it lies."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, xmin::text, xmax::text, ctid::text FROM races_participant ORDER BY id")
        return cursor.fetchall()


class ProviderBroke(Exception):
    pass


def store_and_break(store, *rows) -> None:
    with transaction.atomic():
        store(*rows)
        raise ProviderBroke


def test_several_pages_in_one_transaction_and_in_several_ones_on_the_same_connection(event, store):
    with transaction.atomic():
        store(listed(event, 1, bib_num=1), listed(event, 2))
        store(listed(event, 3), listed(event, 1, bib_num=11))
    with transaction.atomic():
        store(listed(event, 4))
    assert bibs() == {1: "11", 2: "", 3: "", 4: ""}


def test_a_page_that_is_rolled_back_leaves_nothing_and_can_be_stored_again(event, store):
    with pytest.raises(ProviderBroke):
        store_and_break(store, listed(event, 1))
    assert not Participant.objects.exists()
    with transaction.atomic():
        assert store(listed(event, 1))[event.pk].added == 1
    assert ParticipantChange.objects.count() == 1


def test_a_page_in_a_savepoint_that_is_rolled_back_does_not_disturb_the_next(event, store):
    with transaction.atomic():
        with pytest.raises(ProviderBroke):
            store_and_break(store, listed(event, 1))
        store(listed(event, 2))
    assert bibs() == {2: ""}


def test_a_known_page_holds_no_lock_and_opens_no_transaction_id(event, store):
    rows = [listed(event, number) for number in range(1, 30)]
    with transaction.atomic():
        store(*rows)
        assert locks()
    before = row_versions()
    with transaction.atomic():
        store(*rows)
        assert locks() == []
    assert row_versions() == before


def test_fault_14_of_two_writers_at_once_the_newer_version_stays(event, store):
    """The second one waits, then compares with what the first one has stored meanwhile."""

    def write_older():
        try:
            with transaction.atomic():
                return store(listed(event, 7, modified=SECOND, bib_num=1))[event.pk]
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as other:
        with transaction.atomic():
            store(listed(event, 7, modified=SECOND + 1, bib_num=2))
            older = other.submit(write_older)
            wait_for_a_waiting_writer()
        counts = older.result(timeout=30)
    assert (counts.fetched, counts.added, counts.changed) == (1, 0, 0)
    assert bibs() == {7: "2"}
    assert ParticipantChange.objects.count() == 1


def wait_for_a_waiting_writer() -> None:
    deadline = time.monotonic() + 30
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if cursor.fetchone() == (1,):
                return
    raise AssertionError("the second writer did not wait")
