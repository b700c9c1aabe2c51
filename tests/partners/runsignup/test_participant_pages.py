"""Pages of participants and of removals: which rows are where, and what counts as nothing found."""

import json
from datetime import UTC, datetime

import pytest

from partners.runsignup import parsing
from partners.runsignup.errors import ProviderError, Transient, Unexpected
from tests.partners.runsignup.answers import answer, body, example, page, participant, removed

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


def read(content, **headers):
    return parsing.participant_page(answer(content, **headers))


def read_removed(content):
    return parsing.removed_page(answer(content))


def ids(found):
    return [row.registration_id for row in found.rows]


def test_a_page_keeps_the_providers_own_bytes_of_each_row():
    found = read(body("participants_one_event"))
    (row,) = found.rows
    assert bytes(row.raw) in body("participants_one_event")
    assert json.loads(bytes(row.raw))["user"]["first_name"] == "Zoë"
    assert (row.registration_id, row.event_id, row.last_modified) == (7000002, 990101, 1795024929)
    assert (found.size, found.last_registration_id, found.rejected) == (1, 7000002, ())


def test_the_providers_clock_comes_from_the_date_header():
    """Trap 38: our own clock may be off."""
    assert read(page(), date=DATE).server_time == int(datetime(2026, 11, 22, 10, tzinfo=UTC).timestamp())
    assert read(page()).server_time is None
    assert read(page(), date="yesterday").server_time is None


def test_active_rows_are_read_from_the_outer_list_only():
    """Trap 4."""
    both = [{"event": {"event_id": 1, "participants": [participant(9)]}, "participants": [participant(8)]}]
    assert ids(read(both)) == [8]


def test_removed_rows_are_read_from_the_event_only():
    """Trap 4."""
    both = [{"event": {"event_id": 1, "participants": [participant(9)]}, "participants": [participant(8)]}]
    assert ids(read_removed(both)) == [9]


def test_rows_in_the_other_place_are_not_read_as_nothing_found():
    """Trap 4: should the provider ever move them, nobody must seem to have left."""
    with pytest.raises(Unexpected, match="known shape"):
        read(removed(participant(9)))
    with pytest.raises(Unexpected, match="known shape"):
        read_removed(page(participant(9)))


@pytest.mark.parametrize("name", ["participants_multi_event", "participants_multi_event_alt_grouping"])
def test_rows_of_several_events_are_collected_and_keep_their_own_event(name):
    """Trap 5: all rows may hang on one wrapper, and not on the matching one."""
    found = read(body(name))
    events = {row.registration_id: row.event_id for row in found.rows}
    assert events == {7000002: 990101, 7000005: 990103, 7000041: 990102, 7000042: 990102}
    assert (found.size, found.last_registration_id) == (4, 7000042)


def test_removed_rows_take_the_event_of_their_wrapper():
    """Trap 5: the row itself names no event."""
    found = read_removed(body("removed_participants"))
    assert {row.event_id for row in found.rows} == {990101}


NOTHING = [
    [],
    [{}],
    example("participants_empty_key_absent"),
    example("participants_empty_list"),
    example("participants_empty_null"),
    {"event": {"event_id": 1, "participants": []}},
    [{"event": []}, {"event": None}],
]


@pytest.mark.parametrize("content", NOTHING)
def test_every_way_to_say_nothing_found_is_an_empty_page(content):
    """Trap 6: three shapes, and [] and [{}]."""
    for found in (read(content), read_removed(content)):
        assert (found.rows, found.size, found.last_registration_id) == ((), 0, None)


UNKNOWN = [
    {},
    {"message": "hello"},
    [{"message": "hello"}],
    [{}, {"message": "hello"}],
    [[]],
    [None],
    [5],
    {"races": []},
    [{"event": {"event_id": 1}, "participants": {}}],
    [{"event": {"event_id": 1}, "participants": "none"}],
    [{"event": {"event_id": 1}, "participants": False}],
    {"participant_counts": []},
    "null",
    5,
    None,
    True,
]


@pytest.mark.parametrize("content", UNKNOWN)
def test_what_is_no_known_shape_is_never_an_empty_page(content):
    """Trap 1, fault 7: read as empty, it would delete a start list."""
    with pytest.raises(Unexpected):
        read(content)


@pytest.mark.parametrize(
    "content", [{}, [{"message": "hello"}], None, [{"event": {"participants": {}}}], [{"event": 5}]]
)
def test_what_is_no_known_shape_is_never_an_empty_list_of_removals(content):
    with pytest.raises(Unexpected):
        read_removed(content)


@pytest.mark.parametrize("cut", [1, 50, 400, 1500, -1, -3])
def test_a_page_that_was_cut_off_is_refused_whole(cut):
    """Fault 9: truncated JSON."""
    with pytest.raises(Transient, match="cut off"):
        read(body("participants_multi_event").strip()[:cut])


def test_text_after_the_page_is_refused():
    with pytest.raises(Transient):
        read(body("participants_one_event") + b"<br>Warning: something on line 5")


def test_a_bare_object_is_read_like_a_list_of_one():
    """Fault 7: the documentation shows an object, live answers are lists."""
    assert ids(read(page(participant(8))[0])) == [8]
    assert ids(read_removed(removed(participant(9))[0])) == [9]


def test_a_byte_order_mark_and_blanks_do_not_matter():
    assert ids(read(b"\xef\xbb\xbf\r\n " + body("participants_one_event"))) == [7000002]


def test_ids_may_be_numbers_or_numeric_text():
    """Trap 12."""
    found = read(page(participant("7000009", "990101", last_modified="1795024929"), participant(7.0, 990102.0)))
    assert [(row.registration_id, row.event_id) for row in found.rows] == [(7000009, 990101), (7, 990102)]
    assert found.rows[0].last_modified == 1795024929


POISON_IDS = ["abc", "", None, {}, [], True, "7000009x", 10**30, 1.5, "٧"]


@pytest.mark.parametrize("poison", POISON_IDS)
def test_a_row_whose_id_cannot_be_read_is_rejected_alone(poison):
    """Fault 22: text as id; the rest of the page passes, and the page keeps its size."""
    found = read(page(participant(5), participant(poison), participant(9)))
    assert ids(found) == [5, 9]
    assert [row.registration_id for row in found.rejected] == [None]
    assert "registration_id" in found.rejected[0].reason
    assert (found.size, found.last_registration_id) == (3, 9)


@pytest.mark.parametrize("row", [5, None, "row", [], {}])
def test_a_row_that_is_no_row_is_rejected_alone(row):
    found = read(page(participant(5), row))
    assert (ids(found), len(found.rejected), found.size) == ([5], 1, 2)


@pytest.mark.parametrize("event_id", ["5K", None, {}, True])
def test_a_row_without_a_readable_event_is_rejected_with_its_id(event_id):
    found = read(page(participant(11, event_id), participant(9)))
    assert ids(found) == [9]
    assert [(row.registration_id, "event_id" in row.reason) for row in found.rejected] == [(11, True)]
    assert found.last_registration_id == 11


@pytest.mark.parametrize("modified", ["yesterday", None, {}, True, 10**30])
def test_a_row_without_a_readable_time_of_change_passes(modified):
    """Fault 15: the cursor is not this row's business."""
    found = read(page(participant(5, last_modified=modified)))
    assert [(row.registration_id, row.last_modified) for row in found.rows] == [(5, None)]


def test_a_time_of_change_far_off_passes_as_it_is():
    """Fault 15: the cursor is clamped by whoever keeps it."""
    found = read(page(participant(5, last_modified=-7), participant(6, last_modified=99_999_999_999)))
    assert [row.last_modified for row in found.rows] == [-7, 99_999_999_999]


def test_the_template_row_is_dropped_but_counts():
    """Trap 31: registration -1 is no registration, but the provider counted it when it filled the page."""
    found = read(page(participant(-1), participant(0), participant(5)))
    assert (ids(found), found.rejected, found.size, found.last_registration_id) == ([5], (), 3, 5)
    gone = read_removed(removed(participant(-1), participant(5)))
    assert (ids(gone), gone.size) == ([5], 2)


BROKEN_TEXT = [
    b'"\\ud83d"',
    b'"\\udc00 x"',
    b'"\\ud800\\u0041"',
    b'"a\x00b"',
    b'"a\x01b"',
    b'"\\u0000"',
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
]


@pytest.mark.parametrize("broken", BROKEN_TEXT)
def test_one_poison_row_does_not_spoil_its_page(broken):
    """Fault 22: a lone surrogate or a NUL, escaped or bare, costs only its row."""
    rows = [json.dumps(participant(number)).encode() for number in (5, 6, 7)]
    rows[1] = rows[1].replace(b'"Zo\\u00eb"', broken)
    assert broken in rows[1]
    found = read(b'[{"event":{"event_id":990101,"participants":[]},"participants":[%s]}]' % b",".join(rows))
    assert ids(found) == [5, 6, 7]
    good = [parsing.decode_participant(bytes(row.raw)).registration_id for row in (found.rows[0], found.rows[2])]
    assert good == [5, 7]
    with pytest.raises(parsing.RejectedRow) as rejection:
        parsing.decode_participant(bytes(found.rows[1].raw))
    assert "Zo" not in str(rejection.value)


def test_a_backslash_before_something_like_a_half_character_stays():
    rows = [json.dumps(participant(5, team_name="C:\\ud800")).encode(), json.dumps(participant(6)).encode()]
    rows[1] = rows[1].replace(b'"Zo\\u00eb"', b'"\\ud800"')
    found = read(b'[{"event":{"event_id":990101},"participants":[%s]}]' % b",".join(rows))
    assert parsing.decode_participant(bytes(found.rows[0].raw)).team_name == "C:\\ud800"


def test_deep_nesting_is_a_typed_outcome():
    """Fault 11."""
    for content in (b"[" * 200_000, b"[" * 200_000 + b"]" * 200_000, b'{"a":' * 200_000, b'[{"event":' * 100_000):
        with pytest.raises(ProviderError):
            read(content)
    deep = (
        b'[{"event":{"event_id":1},"participants":[{"registration_id":5,"x":'
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}]}]"
    )
    with pytest.raises(ProviderError):
        read(deep)


def test_a_page_with_far_more_rows_than_asked_is_refused():
    """Fault 11: a million rows."""
    with pytest.raises(Unexpected, match="many more than asked"):
        read(page(*[{"registration_id": number} for number in range(1, 10_002)]))


def test_a_person_bought_into_two_events_is_two_registrations():
    """Trap 22: bundles enter one person into several events."""
    found = read(page(participant(5, 990101), participant(6, 990102)))
    assert [(row.registration_id, row.event_id) for row in found.rows] == [(5, 990101), (6, 990102)]


def test_removals_tell_reason_successor_and_time():
    """Trap 16: last_modified is Eastern text here, the timestamp comes first. Trap 18: a transfer names the new id."""
    found = read_removed(body("removed_participants"))
    assert [row.reason for row in found.rows] == ["transferred", "deferred", "removed", "cleared"]
    assert [row.successor_registration_id for row in found.rows][:2] == [7000042, None]
    assert found.rows[0].removed_at == datetime(2026, 11, 20, 15, 0, 3, tzinfo=UTC)


def test_an_old_removal_has_only_the_eastern_text():
    """Trap 15, trap 16."""
    row = {"registration_id": 5, "last_modified": "2021-09-23 09:54:37", "removed_reason": None}
    (found,) = read_removed(removed(row)).rows
    assert found.removed_at == datetime.fromtimestamp(1632405277, UTC)
    assert (found.reason, found.successor_registration_id) == ("removed", None)


def test_a_removal_that_cannot_be_read_is_rejected_alone():
    found = read_removed(
        removed(
            {"registration_id": "abc"},
            {"registration_id": 7, "new_registration_id": "x"},
            {"registration_id": 8, "removed_reason": "a\x00b"},
            {"registration_id": 9},
            5,
        )
    )
    assert ids(found) == [9]
    assert [row.registration_id for row in found.rejected] == [None, 7, 8, None]
    assert (found.size, found.last_registration_id) == (5, 9)


def test_escaped_slashes_do_not_matter():
    """Trap 40."""
    found = read(json.dumps(page(participant(5, team_name="A/B"))).replace("/", "\\/").encode())
    assert parsing.decode_participant(bytes(found.rows[0].raw)).team_name == "A/B"


def test_counts_are_read_by_event():
    assert parsing.participant_counts(answer(body("participant_counts"))) == {990101: 1, 990102: 2, 990103: 1}
    text = {"participant_counts": [{"event_id": "5", "num_participants": "17"}]}
    assert parsing.participant_counts(answer(text)) == {5: 17}


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"participant_counts": None},
        {"participant_counts": [{"event_id": 5}]},
        {"participant_counts": [{"event_id": 5, "num_participants": "many"}]},
        {"participant_counts": [{"event_id": 5, "num_participants": -1}]},
    ],
)
def test_a_count_that_cannot_be_read_is_never_zero(content):
    with pytest.raises(Unexpected):
        parsing.participant_counts(answer(content))
