"""The questions: what is asked with which parameters, through the gate, and counted."""

import contextlib
from datetime import UTC, date, datetime

import pytest

from partners.gate import NoBudget
from partners.runsignup.client import RunSignUpClient
from partners.runsignup.errors import Refused, Throttled, Transient, Unexpected
from tests.partners.runsignup.answers import ReplayTransport, answer, asked, body, client, example, page, participant

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_the_list_of_races_is_asked_with_its_events_from_a_day_on():
    """Trap 30: without start_date the past is hidden, without events=T there are no events."""
    asker = client(example("races_page"))
    assert asker.races_page(page=2, start_date=date(2026, 11, 1)).size == 2
    assert asked(asker) == [
        (
            "/races",
            {
                "page": "2",
                "results_per_page": "1000",
                "start_date": "2026-11-01",
                "events": "T",
                "include_event_days": "T",
                "only_partner_races": "T",
                "sort": "name ASC",
            },
        ),
    ]


def test_one_race_is_asked_with_all_its_years():
    asker = client(example("race"))
    assert asker.race(race_id=990001).race_id == 990001
    assert asked(asker) == [("/race/990001", {"future_events_only": "F", "most_recent_events_only": "F"})]


def test_participants_are_asked_by_key_with_the_non_binary_gender():
    """Trap 25: without supports_nb the X is withheld. Trap 31: anonymous people flagged, no template row."""
    asker = client(example("participants_one_event"))
    asker.participants_page(race_id=990001, event_ids=[990101, 990102])
    assert asked(asker) == [
        (
            "/race/990001/participants",
            {
                "event_id": "990101,990102",
                "results_per_page": "1000",
                "sort": "registration_id ASC",
                "after_registration_id": "0",
                "supports_nb": "T",
                "include_questions": "T",
                "include_user_anonymous_flag": "T",
            },
        ),
    ]


def test_the_cursor_is_sent_as_it_is_in_seconds():
    """Traps 7 and 9: no +1, no milliseconds, no text with a date."""
    asker = client(page(), [])
    asker.participants_page(race_id=5, event_ids=[6], modified_after=1795024929, after_registration_id=77)
    asker.removed_page(race_id=5, event_ids=[6], modified_after=1795024929, after_registration_id=77)
    for _path, params in asked(asker):
        assert params["modified_after_timestamp"] == "1795024929"
        assert params["after_registration_id"] == "77"


def test_removals_are_asked_at_their_own_address():
    asker = client(example("removed_participants"))
    asker.removed_page(race_id=5, event_ids=[6], page_size=500)
    assert asked(asker) == [
        (
            "/race/5/removed-participants",
            {
                "event_id": "6",
                "results_per_page": "500",
                "sort": "registration_id ASC",
                "after_registration_id": "0",
                "supports_nb": "T",
                "condensed_format": "F",
            },
        ),
    ]


def test_counts_are_asked_for_events():
    asker = client(example("participant_counts"))
    assert asker.participant_counts(race_id=5, event_ids=[1, 2])[990101] == 1
    assert asked(asker) == [("/race/5/participant-counts", {"event_id": "1,2"})]


def test_a_question_about_no_event_is_not_asked():
    """Contract §3.1: without event_id the answer is an error, or empty."""
    asker = client(page())
    for question in (asker.participants_page, asker.removed_page, asker.participant_counts):
        with pytest.raises(ValueError, match="event id"):
            question(race_id=5, event_ids=[])
    assert asker.calls == 0


def test_a_page_larger_than_the_provider_gives_is_not_asked():
    """Trap 11: clamped silently, every full page would look like the last one."""
    asker = client(page())
    with pytest.raises(ValueError, match="1 to 2500"):
        asker.participants_page(race_id=5, event_ids=[6], page_size=2501)
    with pytest.raises(ValueError, match="1 to 1000"):
        asker.races_page(page=1, start_date=date(2026, 11, 1), page_size=1001)


class Gate:
    """Opens `free` times; keeps what left its body."""

    def __init__(self, free):
        self.free = free
        self.left = []

    @contextlib.contextmanager
    def __call__(self):
        if not self.free:
            raise NoBudget("the key's calls are in use", wait=30.0)
        self.free -= 1
        try:
            yield
        except Exception as error:
            self.left.append(type(error))
            raise


def test_only_calls_behind_an_open_gate_are_made_and_counted():
    transport, gate = ReplayTransport([answer(page())]), Gate(1)
    asker = RunSignUpClient(transport=transport, gate=gate)
    asker.participants_page(race_id=5, event_ids=[6])
    with pytest.raises(NoBudget):
        asker.participants_page(race_id=5, event_ids=[6])
    assert (asker.calls, len(transport.asked)) == (1, 1)


@pytest.mark.parametrize(
    "throttled",
    [answer({"error": {"error_code": 14}}), answer([{"error": {"error_code": 14}}]), answer(b"", status=429)],
)
def test_the_gate_hears_of_a_throttling_that_only_the_body_tells(throttled):
    """Fault 4."""
    gate = Gate(1)
    asker = RunSignUpClient(transport=ReplayTransport([throttled]), gate=gate)
    with pytest.raises(Throttled):
        asker.participants_page(race_id=5, event_ids=[6])
    assert gate.left == [Throttled]


def test_a_call_that_failed_counts():
    asker = client(Transient("RunSignUp is unavailable."))
    with pytest.raises(Transient):
        asker.race(race_id=5)
    assert asker.calls == 1


def test_a_good_key_is_reported_with_what_it_sees():
    asker = client(example("races_page"), page(participant(5)))
    report = asker.credential_test(now=NOW)
    assert (report.races, report.upcoming_events, report.participants_readable) == (2, 4, True)
    assert "2 races and 4 upcoming events" in report.detail
    (_list, first), (path, params) = asked(asker)
    assert first["start_date"] == "2026-11-22"
    # The next start is tried, with the smallest page.
    assert (path, params["event_id"], params["results_per_page"]) == ("/race/990002/participants", "990201", "1")


def test_a_key_that_may_not_read_participants_is_reported():
    """Trap 35."""
    report = client(example("races_page"), answer(body("error_7_permission"))).credential_test(now=NOW)
    assert report.participants_readable is False
    assert "Permission Denied" in report.detail


def test_an_event_that_vanished_is_reported():
    report = client(example("races_page"), answer(body("error_301_event"))).credential_test(now=NOW)
    assert report.participants_readable is False


def test_a_key_without_upcoming_events_is_reported():
    report = client(example("races_empty")).credential_test(now=NOW)
    assert (report.races, report.upcoming_events, report.participants_readable) == (0, 0, None)
    late = client(example("races_page")).credential_test(now=datetime(2030, 1, 1, tzinfo=UTC))
    assert (late.races, late.upcoming_events, late.participants_readable) == (2, 0, None)


@pytest.mark.parametrize("name", ["error_6_key_auth", "error_17_caller_http400", "error_7_permission"])
def test_a_refused_key_is_refused(name):
    """Fault 5."""
    with pytest.raises(Refused) as caught:
        client(answer(body(name), status=400 if "400" in name else 200)).credential_test(now=NOW)
    assert caught.value.scope == "key"


def test_a_key_refused_at_the_second_call_is_refused():
    with pytest.raises(Refused):
        client(example("races_page"), answer(body("error_6_key_auth"))).credential_test(now=NOW)


def test_the_public_catalogue_is_an_error_that_says_so():
    """Contract §1.2: without a working key the list holds everybody's races."""
    races = [{"race": {"race_id": number, "name": f"Race {number}"}} for number in range(1, 1001)]
    asker = client({"races": races})
    with pytest.raises(Unexpected, match="public catalogue"):
        asker.credential_test(now=NOW)
    assert asker.calls == 1
