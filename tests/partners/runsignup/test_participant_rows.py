"""One participant: from the row's bytes to the typed document, or the reason why not."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from partners.documents import RejectedRow
from partners.runsignup.parsing import decode_participant
from tests.partners.runsignup.answers import example, participant


def decoded(**changes):
    return decode_participant(json.dumps(participant(**changes)).encode())


def test_a_whole_row_becomes_a_document():
    row = decoded()
    assert (row.registration_id, row.event_id, row.user_id) == (7000002, 990101, 41000011)
    assert (row.first_name, row.middle_name, row.last_name) == ("Zoë", "", "O’Malley-Ibáñez")
    assert (row.street, row.city, row.state, row.zipcode, row.country_code) == (
        "22 Alder Ct",
        "Fort Larkin",
        "CO",
        "80599",
        "US",
    )
    assert (row.email, row.phone, row.dob, row.gender, row.age) == (
        "zoe.om@example.test",
        "303-555-0142",
        date(1988, 2, 29),
        "F",
        39,
    )
    assert (row.bib, row.chip, row.team_id, row.team_name) == ("101", "", None, "")
    assert row.registered_at == datetime(2026, 10, 4, 0, 15, tzinfo=UTC)
    assert row.modified_at == datetime.fromtimestamp(1795024929, UTC)
    assert row.amount_paid == Decimal("88.80")
    assert (row.imported, row.is_anonymous) == (False, False)
    assert row.answers == (
        {"question_id": 55101, "question": "Emergency Contact Name", "response": "Ravi O'Malley"},
        {"question_id": 55102, "question": "Emergency Contact Phone", "response": None},
    )


def test_the_other_people_of_the_examples_are_read():
    """Traps 24 and 26: an imported entrant without an account, and an age without a birthday."""
    rows = {row["registration_id"]: row for row in example("participants_multi_event")[2]["participants"]}
    rowan, li = (decode_participant(json.dumps(rows[number]).encode()) for number in (7000005, 7000041))
    assert (rowan.gender, rowan.dob, rowan.age) == ("X", None, 34)
    assert (li.user_id, li.imported, li.bib, li.chip, li.email, li.phone) == (
        None,
        True,
        "1207",
        "A0F3-0001-22C9-77B1-0004-19EE",
        "",
        "",
    )


@pytest.mark.parametrize(
    ("bib", "stored"),
    [(1207, "1207"), ("1207", "1207"), ("12A", "12A"), ("  7 ", "7"), (0, "0"), (None, ""), (12.0, "12")],
)
def test_a_bib_is_text_whatever_it_was(bib, stored):
    """Trap 12, fault 21."""
    assert decoded(bib_num=bib).bib == stored


def test_ids_may_be_numeric_text_and_a_transaction_may_be_anything():
    """Trap 12."""
    row = decoded(user={"user_id": "41000011"}, team_id="3301", transaction_id=17)
    assert (row.user_id, row.team_id) == (41000011, 3301)


@pytest.mark.parametrize(("given", "read"), [("T", True), ("F", False), (None, False), (True, True), (False, False)])
def test_flags_are_letters(given, read):
    """Trap 13: "F" is a non-empty text."""
    row = decoded(imported=given, user={"is_anonymous": given})
    assert (row.imported, row.is_anonymous) == (read, read)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("$1,234.50", "1234.50"),
        ("$1,055.00", "1055.00"),
        ("$0.00", "0.00"),
        ("55.5", "55.5"),
        ("-$5.00", "-5.00"),
        ("$-5.00", "-5.00"),
        (88.8, "88.80"),
        (12, "12.00"),
        (" $7.00 ", "7.00"),
    ],
)
def test_money_is_read_from_its_text(given, read):
    """Trap 14, fault 21."""
    assert decoded(amount_paid=given).amount_paid == Decimal(read)


@pytest.mark.parametrize("given", [None, "", "free", "$", "$99,999,999,999.00", "1e5", "NaN", "$1.234", 1e300])
def test_money_that_cannot_be_read_is_absent(given):
    assert decoded(amount_paid=given).amount_paid is None


def test_a_fee_that_we_do_not_store_may_be_anything():
    """Trap 14: usatf_discount_amount_in_cents is dollars in a text."""
    assert decoded(usatf_discount_amount_in_cents="$0.00", race_fee=None, extra_fees=[]).registration_id == 7000002


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("10/3/2026 20:15", datetime(2026, 10, 4, 0, 15, tzinfo=UTC)),  # daylight saving time: four hours
        ("12/3/2026 20:15", datetime(2026, 12, 4, 1, 15, tzinfo=UTC)),  # standard time: five
        ("11/1/2026 01:30", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),  # happens twice: the first one
        ("3/8/2026 02:30", datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),  # never happens: an hour on
        ("2026-10-05 09:00:00", datetime(2026, 10, 5, 13, 0, tzinfo=UTC)),
        ("10/3/2026", datetime(2026, 10, 3, 4, 0, tzinfo=UTC)),
        ("9/7/2021 15:15", datetime.fromtimestamp(1631042100, UTC)),  # the documentation's own example
    ],
)
def test_registration_dates_are_eastern(given, read):
    """Trap 15, fault 17."""
    assert decoded(registration_date=given).registered_at == read


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "soon",
        "13/45/2026 10:00",
        "10/3/2026 25:00",
        "10/3/2026 20:61",
        1795024929,
        "0000-00-00 00:00:00",
        "1/1/0001 00:00",
        "12/31/9999 23:59",
        ":15",
        "x" * 500,
        "1٠/3/2026 20:15",
    ],
)
def test_a_registration_date_that_cannot_be_read_is_absent(given):
    found = decoded(registration_date=given).registered_at
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("1988-02-29", date(1988, 2, 29)),
        ("02/29/1988", date(1988, 2, 29)),
        (None, None),
        ("", None),
        ("0000-00-00", None),
        ("2026-02-30", None),
        (19880229, None),
    ],
)
def test_a_birthday_is_a_day_without_a_zone(given, read):
    """Trap 15, trap 26."""
    assert decoded(user={"dob": given}).dob == read


@pytest.mark.parametrize("given", [None, "11/20/2026 10:00", 10**18, -(10**18), "soon"])
def test_a_time_of_change_that_is_no_moment_is_absent(given):
    """Trap 16, fault 15: in a participant it is Unix seconds and nothing else."""
    assert decoded(last_modified=given).modified_at is None


@pytest.mark.parametrize(
    ("given", "read"),
    [(39, 39), ("39", 39), (None, None), ("", None), ("about 40", None), (-1, None), (4000, None), (39.0, 39)],
)
def test_an_age_may_be_text(given, read):
    """Fault 21: a runner is not missing from the start list because of an age."""
    assert decoded(age=given).age == read


@pytest.mark.parametrize(
    ("given", "read"), [("M", "M"), ("F", "F"), ("X", "X"), ("x", "X"), (None, ""), ("", ""), ("D", "")]
)
def test_an_unknown_gender_is_never_guessed(given, read):
    """Trap 25."""
    assert decoded(user={"gender": given}).gender == read


def test_absent_keys_are_like_null():
    """Trap 23."""
    bare = {"registration_id": 5, "event_id": 6, "user": {"first_name": "Li", "last_name": "Wei"}}
    row = decode_participant(json.dumps(bare).encode())
    assert (row.email, row.phone, row.gender, row.street, row.bib, row.answers) == ("", "", "", "", "", ())
    assert (row.user_id, row.dob, row.age, row.amount_paid, row.modified_at) == (None, None, None, None, None)


def test_people_without_an_account_stay_apart():
    """Trap 24."""
    first, second = (decoded(registration_id=number, user={"user_id": None}) for number in (5, 6))
    assert (first.user_id, second.user_id) == (None, None)
    assert first != second


NAMES = [
    "Zoë",
    "Zoe\u0308",
    "O’Malley-Ibáñez",
    "王",
    "Nguyễn",
    "Anne Marie",
    "N\u00a0N",
    "Łabędź",
    "🏃 Runner",
    "a+b%20c &amp;",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_stay_as_typed(name):
    """Trap 27, trap 29: no other Unicode form, no unescaping, no capitals; only the blanks around go."""
    assert decoded(user={"first_name": f" \u00a0{name} "}).first_name == name


def test_long_phones_and_chips_are_stored():
    """Trap 28."""
    row = decoded(
        user={"phone": "+1 (303) 555-0142 ext. 99, after 6 pm only"}, chip_num="A0F3-0001-22C9-77B1-0004-19EE"
    )
    assert (len(row.phone), len(row.chip)) == (42, 29)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"bib_num": "1" * 300}, "bib_num"),
        ({"user": {"last_name": "x" * 100_000}}, "last_name"),
        ({"user": {"first_name": "Zo\x00ë"}}, "first_name"),
        ({"team_name": "a\x00"}, "team_name"),
        ({"question_responses": [{"question_id": 5, "response": "a\x00"}]}, "answer"),
        ({"question_responses": [{"question_id": "five", "response": "a"}]}, "question_id"),
        ({"registration_id": "abc"}, "registration_id"),
        ({"registration_id": -1}, "registration_id"),
        ({"event_id": None}, "event_id"),
        ({"team_id": "Ridge"}, "team_id"),
        ({"user": {"user_id": 10**30}}, "user_id"),
        ({"user": {"email": {"home": "zoe.om@example.test"}}}, "email"),
        ({"bib_num": True}, "bib_num"),
        ({"bib_num": [12]}, "bib_num"),
    ],
)
def test_a_row_that_cannot_be_stored_says_why_without_the_persons_data(changes, field):
    """Fault 22; fault 11 (a name of 100 kB)."""
    with pytest.raises(RejectedRow, match=field) as rejection:
        decoded(**changes)
    text = str(rejection.value)
    assert len(text) < 200
    for data in ("Zo", "xxxx", "1111", "example.test", "Ridge", "five", "abc"):
        assert data not in text


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"5",
        b"{}",
        b'{"registration_id":5',
        b'{"registration_id":5,"event_id":6}',
        b'{"registration_id":5,"event_id":6,"user":null}',
        b"[" * 100_000,
        b'{"registration_id":5,"event_id":6,"user":{"first_name":"\\ud800"}}',
        b'{"registration_id":5,"event_id":6,"user":{"first_name":"\xff"}}',
        b'{"registration_id":5,"event_id":6,"user":{},"unread":"\xff"}',
    ],
)
def test_bytes_that_are_no_participant_are_rejected(raw):
    """Fault 22: also what nobody reads has to be storable text."""
    with pytest.raises(RejectedRow):
        decode_participant(raw)


def test_a_new_field_does_not_matter():
    """Fault 21."""
    assert decoded(loyalty={"points": [1, 2]}) == decoded()


def test_answers_keep_their_question_and_may_be_several():
    """Trap 39: texts repeat and carry blanks, the id tells them apart; multiple choice is in `responses`."""
    questions = [
        {"question_id": "55", "question_text": " Shirt ", "response": "M"},
        {"question_id": 56, "question_text": "Shirt", "response": None, "responses": ["A", " B", 3]},
        {"question_id": 57, "question_text": None, "response": 12},
    ]
    assert decoded(question_responses=questions).answers == (
        {"question_id": 55, "question": "Shirt", "response": "M"},
        {"question_id": 56, "question": "Shirt", "response": ["A", "B", "3"]},
        {"question_id": 57, "question": "", "response": "12"},
    )


def test_a_row_read_twice_is_the_same_document():
    assert decoded() == decoded()
