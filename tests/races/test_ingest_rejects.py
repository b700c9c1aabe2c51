"""A row that cannot be stored is rejected with a sentence; the others of its page are stored."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from msgspec.structs import replace

from partners.runsignup.parsing import decode_participant
from races.ingest import store_participants
from races.models import Participant
from tests.factories import EventFactory
from tests.races.provider_pages import listed

pytestmark = pytest.mark.django_db


@pytest.fixture
def event():
    return EventFactory()


@pytest.fixture
def store(event, now):
    def store(*rows, decode=decode_participant):
        return store_participants(race=event.race, rows=rows, decode=decode, now=now, runs={})[event.pk]

    return store


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"first_name": "Zo\x00ë"}, "first_name"),
        ({"bib_num": "9" * 300}, "bib"),
        ({"user_id": "nobody"}, "user_id"),
        ({"team_id": 2**63}, "team_id"),
        ({"question_responses": [{"question_id": 1, "question_text": "Why\x00", "response": None}]}, "question"),
    ],
)
def test_fault_22_a_poison_row_of_the_provider_is_rejected_and_the_others_are_stored(event, store, said, field):
    stored = store(listed(event, 1), listed(event, 2, **said), listed(event, 3))
    assert (stored.fetched, stored.added) == (3, 2)
    (rejected,) = stored.rejected
    assert rejected.registration_id == 2
    assert field in rejected.reason
    assert sorted(Participant.objects.values_list("registration_id", flat=True)) == [1, 3]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"first_name": "Zo\x00ë"}, "first_name contains a NUL character."),
        ({"last_name": "O\ud83dx"}, "last_name contains half a character (a lone surrogate)."),
        ({"bib": "9" * 300}, "bib has 300 characters, at most 100 are stored."),
        ({"email": "x" * 2_001}, "email has 2001 characters, at most 2000 are stored."),
        ({"gender": "MF"}, "gender has 2 characters, at most 1 are stored."),
        ({"age": 40_000}, "age is out of range."),
        ({"user_id": 2**63}, "user_id is out of range."),
        ({"team_id": -(2**63) - 1}, "team_id is out of range."),
        ({"amount_paid": Decimal(10) ** 10}, "amount_paid is out of range."),
        ({"amount_paid": Decimal("NaN")}, "amount_paid is out of range."),
        ({"registered_at": datetime(2026, 1, 1)}, "registered_at has no time zone."),
        ({"answers": ({"question": "Why\x00"},)}, "an answer contains a NUL character."),
        ({"answers": ({"response": ["a", "\udc00"]},)}, "an answer contains half a character (a lone surrogate)."),
        ({"answers": ({"response": "x" * 100_001},)}, "an answer has 100001 characters, at most 100000 are stored."),
    ],
)
def test_fault_22_what_postgresql_would_refuse_is_found_whatever_the_provider_package_lets_through(
    event, store, values, reason
):
    def careless(raw: bytes):
        document = decode_participant(raw)
        return replace(document, **values) if document.registration_id == 2 else document

    stored = store(listed(event, 1), listed(event, 2), listed(event, 3), decode=careless)
    assert stored.added == 2
    assert [(bad.registration_id, bad.reason) for bad in stored.rejected] == [(2, reason)]


@pytest.mark.parametrize(
    ("raw", "reason"), [(b"\xff", "The row is not valid UTF-8."), (b"\x00", "The row contains a NUL character.")]
)
def test_bytes_that_are_no_text_are_rejected(event, store, raw, reason):
    bad = listed(event, 2)
    stored = store(
        listed(event, 1),
        replace(bad, raw=bad.raw + raw),
        decode=lambda raw: decode_participant(raw[:-1] if raw[-1:] != b"}" else raw),
    )
    assert stored.added == 1
    assert [bad.reason for bad in stored.rejected] == [reason]


def test_fault_22_a_poison_version_leaves_the_stored_one_as_it_is(event, store):
    store(listed(event, 1, bib_num=5))
    assert len(store(listed(event, 1, bib_num="9" * 300)).rejected) == 1
    stored = Participant.objects.get()
    assert (stored.bib, stored.removed_at) == ("5", None)


@pytest.mark.parametrize("registration_id", [-1, 0, 2**63])
def test_an_impossible_registration_id_is_rejected(event, store, registration_id):
    stored = store(listed(event, registration_id), listed(event, 3))
    assert [bad.registration_id for bad in stored.rejected] == [registration_id]
    assert stored.added == 1


@pytest.mark.parametrize(
    "said",
    [
        {"nobody_knows_this_field": {"deep": [1, 2]}},
        {"bib_num": "12A"},
        {"age": "old"},
        {"amount_paid": "$1,055.00"},
        {"user_id": None},
        {"gender": "X"},
        {"gender": None},
        {"chip_num": "A0F3-0001-22C9-77B1-0004-19EE" * 20},
        {"last_name": "名前\u00a0’" * 100},
        {"question_responses": [{"question_id": "1", "question_text": "a \\u0000", "responses": ["x" * 3_000]}]},
        {"unstored": "a\x00b"},
    ],
)  # fmt: skip
def test_fault_21_what_is_unusual_but_legal_is_stored_and_its_raw_kept(event, store, said):
    row = listed(event, 1, **said)
    stored = store(row)
    assert (stored.added, stored.rejected) == (1, ())
    assert Participant.objects.get().raw.encode() == row.raw


def test_fault_21_a_missing_optional_field_is_no_error(event, store):
    row = listed(event, 1)
    bare = f'{{"user": {{}}, "registration_id": 1, "event_id": {event.provider_event_id}}}'.encode()
    assert store(replace(row, raw=bare)).added == 1
    stored = Participant.objects.get()
    assert (stored.first_name, stored.gender, stored.age, stored.answers) == ("", "", None, [])


def test_the_longest_bib_and_chip_fit_their_index(event, store):
    def longest(raw: bytes):
        return replace(decode_participant(raw), chip="ç" * 2_000, bib="東" * 100)

    assert store(listed(event, 1), decode=longest).added == 1
