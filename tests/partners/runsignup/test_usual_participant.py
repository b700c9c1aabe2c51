"""The short way through nearly every row makes the same of it as the value-by-value reading, or leaves it to that."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.participant_pages import page
from partners.documents import ParticipantDocument, RejectedRow
from partners.runsignup import parsing
from partners.runsignup.usual_participant import usual_participant

_ODD = [" Zoë ", "\u00a0x\u2003", "a\x00b", "0", "T", "M", "1988-02-29", "1988-02-30", "$1,055.00", "7" * 101]
texts = st.one_of(
    st.none(),
    st.just(""),
    st.sampled_from(_ODD),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30),
    st.text(alphabet="é ", min_size=995, max_size=1010),
)
moments = st.one_of(texts, st.sampled_from(["10/3/2025 20:15", "3/8/2026 02:30", "10/3/2025", "0", 253_402_300_800]))
users = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["user_id", "first_name", "last_name", "email", "dob", "gender", "is_anonymous"], texts),
        "address": st.one_of(st.none(), st.fixed_dictionaries({}, optional={"street": texts, "zipcode": texts})),
    },
)
questions = st.fixed_dictionaries(
    {"question_id": st.one_of(st.integers(-1, 9), texts)},
    optional={
        "question_text": texts,
        "response": texts,
        "responses": st.one_of(st.none(), st.lists(texts, max_size=2)),
    },
)
rows = st.fixed_dictionaries(
    {"user": users, "registration_id": st.one_of(st.integers(0, 9), texts), "event_id": st.just(5)},
    optional={
        **dict.fromkeys(["bib_num", "chip_num", "age", "team_id", "team_name", "amount_paid", "imported"], texts),
        **dict.fromkeys(["registration_date", "last_modified"], moments),
        "question_responses": st.one_of(st.none(), st.lists(questions, max_size=2)),
    },
)


@pytest.fixture(scope="module")
def value_by_value():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "usual_participant", lambda _raw: None)
        yield parsing.decode_participant


def _read(decode, raw: bytes) -> ParticipantDocument | None:
    try:
        return decode(raw)
    except RejectedRow:
        return None


@given(row=rows)
def test_what_the_short_way_reads_it_reads_as_value_by_value(value_by_value, row):
    raw = json.dumps(row).encode()
    usual = usual_participant(raw)
    assert usual is None or usual == _read(value_by_value, raw)


def test_a_providers_row_takes_the_short_way(value_by_value):
    rows = parsing.participant_page(page(event_id=5, numbers=range(7_000_000, 7_000_200))).rows
    assert all(usual_participant(bytes(row.raw)) == value_by_value(bytes(row.raw)) for row in rows)


@pytest.mark.parametrize("field", ["first_name", "last_name", "question_text", "response", "responses"])
def test_a_nul_anywhere_takes_a_closer_look(field):
    user = {field: "a\x00b"} if field.endswith("name") else {}
    question = {"question_id": 1} | ({} if user else {field: ["a\x00b"] if field == "responses" else "a\x00b"})
    row = {"user": user, "registration_id": 1, "event_id": 5, "question_responses": [question]}
    assert usual_participant(json.dumps(row).encode()) is None
