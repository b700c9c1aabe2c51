"""Whatever comes over the wire, the outcome is typed: a document, a rejected row or a ProviderError."""

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from partners.documents import ParticipantDocument, RejectedRow
from partners.runsignup import parsing, races
from partners.runsignup.errors import ProviderError
from tests.partners.runsignup.answers import answer, body, participant

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["T", "F", "$1,055.00", "10/3/2026 20:15", "2026-02-30", "12A", "\ud800", "\x00", "7000002", "-1"]
    )
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def objects(*names):
    """Objects in which each of these members may be absent or anything."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, VALUES))


ADDRESSES = objects("street", "city", "state", "zipcode", "country_code")
USERS = st.builds(
    lambda user, address: user | {"address": address},
    objects("user_id", "first_name", "last_name", "email", "dob", "gender", "phone", "is_anonymous"),
    ADDRESSES | VALUES,
)
ROWS = st.builds(
    lambda row, ids, user: row | ids | {"user": user},
    objects(
        "bib_num",
        "chip_num",
        "age",
        "team_id",
        "registration_date",
        "last_modified",
        "amount_paid",
        "imported",
        "question_responses",
        "removed_reason",
        "new_registration_id",
        "last_modified_ts",
    ),
    objects("registration_id", "event_id")
    | st.fixed_dictionaries({"registration_id": st.integers(1, 99), "event_id": st.integers(1, 9)}),
    USERS | VALUES,
)
LISTS = st.lists(ROWS | VALUES, max_size=4)
WRAPPERS = st.fixed_dictionaries(
    {},
    optional={
        "event": st.fixed_dictionaries({}, optional={"event_id": SCALARS, "participants": LISTS | VALUES}) | VALUES,
        "participants": LISTS | VALUES,
        "error": VALUES | objects("error_code", "error_msg"),
        "x": SCALARS,
    },
)
EVENTS = objects("event_id", "name", "start_time", "end_time", "distance", "event_type", "registration_opens")
RACES = st.builds(
    lambda race, events: race | {"events": events},
    objects("race_id", "name", "timezone", "address", "url", "next_date", "is_draft_race"),
    st.lists(EVENTS | VALUES, max_size=3) | VALUES,
)
RACE_ANSWERS = st.fixed_dictionaries(
    {"races": st.lists(st.builds(lambda race: {"race": race}, RACES | VALUES) | VALUES, max_size=3)}
)
JSON = st.one_of(
    VALUES,
    st.lists(WRAPPERS | VALUES, max_size=3),
    WRAPPERS,
    RACE_ANSWERS,
    st.builds(lambda race: {"race": race}, RACES),
)
BODIES = st.one_of(
    JSON.map(lambda content: json.dumps(content).encode()),
    st.binary(max_size=60),
    st.builds(
        lambda start, cut: start[:cut], JSON.map(lambda content: json.dumps(content).encode()), st.integers(0, 200)
    ),
)
EXAMPLES = [
    body(name)
    for name in ("participants_multi_event", "removed_participants", "race", "races_page", "participant_counts")
]
SPOILT = st.builds(
    lambda whole, at, new: whole[: at % len(whole)] + new + whole[at % len(whole) + len(new) :],
    st.sampled_from(EXAMPLES),
    st.integers(0, 50_000),
    st.binary(min_size=1, max_size=4),
)
STATUSES = st.sampled_from([200, 200, 200, 200, 204, 302, 400, 404, 429, 500, 503])


def read_everything(given_answer):
    """All readers on one answer; nothing but a ProviderError may leave them."""
    for read in (
        parsing.removed_page,
        parsing.participant_counts,
        races.races_page,
        lambda one: races.race(one, race_id=5),
    ):
        with contextlib.suppress(ProviderError):
            read(given_answer)
    try:
        page = parsing.participant_page(given_answer)
    except ProviderError:
        return
    assert given_answer.status == 200
    assert len(page.rows) + len(page.rejected) <= page.size
    for row in page.rows:
        with contextlib.suppress(RejectedRow):
            assert isinstance(parsing.decode_participant(bytes(row.raw)), ParticipantDocument)
    if page.size == 0:
        assert_true_empty(json.loads(given_answer.body, strict=False))


def assert_true_empty(content):
    elements = content if isinstance(content, list) else [content]
    assert content != {}
    for element in elements:
        assert element == {} or element.keys() & {"event", "participants"}
        assert not element.get("participants")
        assert element.get("error") is None


@settings(max_examples=400, deadline=None)
@given(content=BODIES | SPOILT, status=STATUSES)
def test_any_body_gives_a_typed_outcome(content, status):
    read_everything(answer(content, status=status))


@settings(max_examples=400, deadline=None)
@given(rows=LISTS)
def test_any_row_is_a_participant_or_rejected(rows):
    read_everything(answer([{"event": {"event_id": 1, "participants": []}, "participants": rows}]))
    read_everything(answer([{"event": {"event_id": 1, "participants": rows}}]))


@settings(max_examples=300, deadline=None)
@given(
    changes=objects(
        "bib_num",
        "chip_num",
        "age",
        "team_id",
        "team_name",
        "registration_date",
        "last_modified",
        "amount_paid",
        "imported",
        "question_responses",
    )
)
def test_a_stored_participant_fits_its_columns(changes):
    try:
        row = parsing.decode_participant(json.dumps(participant() | changes).encode())
    except RejectedRow:
        return
    texts = [getattr(row, name) for name in ("first_name", "last_name", "bib", "chip", "team_name")]
    for text in texts:
        assert "\x00" not in text
        text.encode()
        assert text == text.strip()
    assert row.age is None or 0 <= row.age <= 150
    assert row.team_id is None or -(2**63) <= row.team_id < 2**63
    assert row.amount_paid is None or abs(row.amount_paid) < 10**10


@settings(max_examples=200, deadline=None)
@given(value=st.text(max_size=40), date=st.text(max_size=40))
def test_any_header_is_read_or_absent(value, date):
    given_answer = answer(b"", retry_after=value, date=date)
    assert given_answer.retry_after is None or given_answer.retry_after >= 0
    assert given_answer.server_time is None or isinstance(given_answer.server_time, int)
