"""Which answer is which outcome (contract §5): the class says who acts next."""

import pytest

from partners.runsignup import parsing, races
from partners.runsignup.errors import Gone, ProviderError, Refused, Throttled, Transient, Unexpected
from tests.partners.runsignup.answers import answer, body, page, participant

READERS = [
    parsing.participant_page,
    parsing.removed_page,
    parsing.participant_counts,
    races.races_page,
    lambda given: races.race(given, race_id=1),
]
HTML = b"<!DOCTYPE html><html><body>We'll be back soon</body></html>"


def outcome(content, *, status=200, read=parsing.participant_page, **headers):
    with pytest.raises(ProviderError) as caught:
        read(answer(content, status=status, **headers))
    return caught.value


def error(code, words="Words."):
    return {"error": {"error_code": code, "error_msg": words}}


CODES = {
    6: Refused,
    13: Refused,
    17: Refused,
    7: Refused,
    201: Gone,
    301: Gone,
    15: Gone,
    1: Unexpected,
    2: Unexpected,
    3: Unexpected,
    8: Unexpected,
    9: Unexpected,
    10: Unexpected,
    11: Unexpected,
    14: Throttled,
    4: Transient,
    5: Transient,
    12: Unexpected,
    16: Unexpected,
    101: Unexpected,
    517: Unexpected,
    99999: Unexpected,
}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(("code", "kind"), CODES.items())
def test_an_error_body_is_never_read_as_no_participants(code, kind, read):
    """Trap 1, faults 4 to 7: HTTP 200 is no success, whatever the question was."""
    found = outcome(error(code), read=read)
    assert type(found) is kind
    assert (found.code, found.http_status, found.provider_text) == (code, 200, "Words.")
    assert str(code) in found.text


@pytest.mark.parametrize(
    "name",
    [
        "error_14_throttled",
        "error_201_race",
        "error_301_event",
        "error_3_invalid_params",
        "error_6_key_auth",
        "error_7_permission",
    ],
)
def test_the_recorded_errors_are_known(name):
    assert isinstance(outcome(body(name)), CODES[int(name.split("_")[1])])


def test_an_error_inside_a_list_is_an_error():
    """Trap 2."""
    assert isinstance(outcome([error(14)]), Throttled)
    assert isinstance(outcome([*page(participant(5)), error(6)]), Refused)


def test_numeric_text_is_a_code():
    assert isinstance(outcome(error("14")), Throttled)


@pytest.mark.parametrize(
    "member",
    [
        "invalid_client",
        {},
        [],
        True,
        5,
        {"error_code": None},
        {"error_code": "six"},
        {"error_code": True},
        {"error_msg": "no code"},
    ],
)
def test_an_error_without_a_known_code_is_unexpected(member):
    """Fault 7: never "retry", never "empty"."""
    assert type(outcome({"error": member})) is Unexpected
    assert type(outcome({"error": member, "participants": []})) is Unexpected


def test_the_caller_registration_is_named_when_it_is_refused():
    """Trap 33: code 17 comes with HTTP 400 and fails every call; the setting is at fault, not the key."""
    found = outcome(body("error_17_caller_http400"), status=400)
    assert (type(found), found.scope, found.code) == (Refused, "key", 17)
    assert "RUNSIGNUP_REG" in found.text


def test_permission_denied_is_about_one_race():
    """Trap 35, fault 6: the other races of the key go on."""
    for read in READERS[:3]:
        assert outcome(error(7), read=read).scope == "race"
    assert outcome(error(6)).scope == "key"


def test_permission_denied_for_the_list_of_races_is_about_the_key():
    assert outcome(error(7), read=races.races_page).scope == "key"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 522])
@pytest.mark.parametrize("content", [HTML, b"", b"null", page(participant(5))])
def test_a_server_error_is_transient_whatever_it_carries(status, content):
    """Faults 1 and 2."""
    found = outcome(content, status=status)
    assert (type(found), found.http_status) == (Transient, status)


def test_a_known_code_counts_more_than_the_status():
    assert isinstance(outcome(error(6), status=500), Refused)
    assert isinstance(outcome(error(14), status=400), Throttled)
    assert isinstance(outcome(error(99999), status=500), Transient)
    assert isinstance(outcome(error(99999), status=400), Unexpected)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("120", 120.0),
        ("86400", 86400.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("Sun, 22 Nov 2026 10:02:00 GMT", 120.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("nan", None),
        ("99999999999999", None),
    ],
)
def test_slow_down_carries_what_the_provider_asked(given, seconds):
    """Fault 3: seconds, HTTP date (by the provider's own clock), absent, a day, garbage."""
    headers = {"date": "Sun, 22 Nov 2026 10:00:00 GMT"} | ({} if given is None else {"retry_after": given})
    for content, status in ((HTML, 429), (error(14), 200), (error(14), 429), (b"", 429)):
        found = outcome(content, status=status, **headers)
        assert (type(found), found.retry_after) == (Throttled, seconds)


def test_a_date_to_retry_after_without_the_providers_clock_is_unknown():
    """Fault 16: our own clock may be an hour off."""
    assert outcome(b"", status=429, retry_after="Sun, 22 Nov 2026 10:02:00 GMT").retry_after is None


def test_an_outage_that_says_when_to_come_back_slows_the_key_down():
    """Contract §5.2: 503 with Retry-After; without it, it is an outage."""
    found = outcome(HTML, status=503, retry_after="30")
    assert (type(found), found.retry_after) == (Throttled, 30.0)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "content",
    [
        HTML,
        b"<?xml version='1.0'?><error/>",
        b"",
        b"  \r\n",
        b"Service down",
        b"{",
        b"[",
        b"[{",
        b'{"error":',
        b'{"error":{"error_code":6',
        b"\xff\xfe",
        b"\x00",
    ],
)
def test_what_is_not_json_with_200_is_unavailable(content, read):
    """Faults 7 and 10: maintenance page, empty body, truncated."""
    assert type(outcome(content, read=read)) is Transient


@pytest.mark.parametrize("content", [b"null", b"5", b'"ok"', b"true"])
@pytest.mark.parametrize("read", READERS)
def test_json_that_is_no_answer_is_unexpected(content, read):
    """Fault 7."""
    assert type(outcome(content, read=read)) is Unexpected


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, Unexpected),
        (403, Unexpected),
        (401, Unexpected),
        (400, Unexpected),
        (204, Unexpected),
        (302, Transient),
        (304, Unexpected),
    ],
)
def test_other_statuses(status, kind):
    """A wrong path is our bug; a redirect is "unavailable"."""
    assert type(outcome(HTML, status=status)) is kind
    assert type(outcome(page(participant(5)), status=status)) is kind


def test_the_providers_words_are_quoted_harmlessly():
    """Faults 33 and 37: no line breaks, no NUL, no credentials, no end without end."""
    words = "Bad\nkey\x00 at https://host/rest/races?api_secret=s3cr3t&x=1 api_secret: s3cr3t " + "x" * 10_000
    found = outcome(error(6, words))
    assert "s3cr3t" not in found.text + found.provider_text
    assert found.provider_text.isprintable()
    assert len(found.text) < 400
    assert outcome(error(6, None)).provider_text == ""
    assert outcome(error(6, {"a": 1})).provider_text == ""


def test_an_error_that_is_null_is_none():
    found = parsing.participant_page(
        answer({"error": None, "event": {"event_id": 1}, "participants": [participant(5)]})
    )
    assert found.size == 1
