"""The script of faults: each kind, what it matches, and how long it lasts."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.partners.sandbox.caller import Caller, Reply

KEY = "sandbox-key-01"


def script(caller: Caller, **fault: Any) -> None:
    reply = caller.tell("faults", **fault)
    assert reply.status == 200, reply.json


def ask(caller: Caller) -> Reply:
    return caller.get("races", key=KEY, events="T", start_date="2020-01-01")


def test_a_status_lasts_for_so_many_calls_and_then_all_is_well(caller: Caller):
    script(caller, status=503, retry_after=120, calls=2)
    for _ in range(2):
        reply = ask(caller)
        assert (reply.status, reply.headers["retry-after"]) == (503, "120")
        assert reply.headers["content-type"].startswith("text/html")
    assert "races" in ask(caller).json
    outcomes = [call["outcome"] for call in caller.sandbox("ledger?calls=1")]
    assert outcomes == ["fault status", "fault status", "ok"]


def test_a_fault_without_a_number_lasts_until_it_is_cleared(caller: Caller):
    script(caller, error=14, message="Request throttled.")
    for _ in range(3):
        assert ask(caller).json == {"error": {"error_code": 14, "error_msg": "Request throttled."}}
    assert caller.sandbox("faults") == [{"error": 14, "message": "Request throttled.", "used": 3}]
    script(caller, clear=True)
    assert "races" in ask(caller).json
    assert caller.sandbox("faults") == []


@pytest.mark.parametrize("retry_after", ["Wed, 21 Oct 2026 07:28:00 GMT", "86400", "soon", ""])
def test_retry_after_is_sent_as_it_is(caller: Caller, retry_after: str):
    script(caller, status=429, retry_after=retry_after)
    assert ask(caller).headers["retry-after"] == retry_after


def test_a_fault_matches_by_endpoint_key_race_and_event(caller: Caller, event_id: int):
    race_id = caller.world.events[event_id].race.race_id
    key = caller.key_of(race_id)
    other_key = next(name for name in caller.world.keys if name != key)
    for match in ({"endpoint": "races"}, {"key": other_key}, {"race_id": race_id + 1}, {"event_id": 1}):
        script(caller, clear=True, error=5, **match)
        assert caller.participants(event_id).rows
    for match in ({"endpoint": "participants"}, {"key": key}, {"race_id": race_id}, {"event_id": event_id}):
        script(caller, clear=True, error=5, **match)
        assert caller.participants(event_id).json["error"]["error_code"] == 5


def test_the_first_matching_fault_of_the_script_comes_first(caller: Caller):
    script(caller, status=500, calls=1)
    script(caller, error=4, calls=1)
    assert ask(caller).status == 500
    assert ask(caller).json["error"]["error_code"] == 4
    assert "races" in ask(caller).json


def test_an_error_may_come_with_a_status(caller: Caller):
    script(caller, error=17, message="Invalid API caller credentials.", status=400)
    reply = ask(caller)
    assert (reply.status, reply.json["error"]["error_code"]) == (400, 17)


def test_an_html_page_comes_with_200(caller: Caller):
    script(caller, html=True)
    reply = ask(caller)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"Maintenance" in reply.body


@pytest.mark.parametrize("body", ["", "null", "[]", "[{}]", "{}", '{"error":"invalid_client"}', '[{"event":{'])
def test_a_body_is_sent_as_it_is_written(caller: Caller, body: str):
    script(caller, body=body)
    assert ask(caller).body == body.encode()


def test_a_redirect_leads_where_the_script_says(caller: Caller):
    script(caller, location="http://elsewhere.example.test/login")
    reply = ask(caller)
    assert (reply.status, reply.headers["location"]) == (302, "http://elsewhere.example.test/login")


def test_a_truncated_body_breaks_off_or_lies_about_nothing(caller: Caller):
    whole = ask(caller).body
    script(caller, truncate=0.5, calls=1)
    with pytest.raises(http.client.IncompleteRead) as broken:
        ask(caller)
    assert broken.value.partial == whole[: len(whole) // 2]
    script(caller, clear=True, truncate=0.5, honest=True, calls=1)
    cut = ask(caller)
    assert cut.body == whole[: len(whole) // 2]
    with pytest.raises(json.JSONDecodeError):
        _ = cut.json


def test_a_packed_body_may_be_cut_in_the_middle(caller: Caller):
    script(caller, truncate=0.5, honest=True)
    key = caller.world.keys[KEY]
    path = f"/rest/races?format=json&events=T&start_date=2020-01-01&api_key={key.key}&api_secret={key.secret}"
    reply = caller.raw(path, headers={"Accept-Encoding": "gzip"})
    assert reply.headers["content-encoding"] == "gzip"
    with pytest.raises(EOFError):
        gzip.decompress(reply.body)


def test_a_dropped_call_ends_without_a_word(caller: Caller):
    script(caller, drop=True)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(caller)
    assert caller.sandbox("ledger?calls=1")[0]["outcome"] == "fault drop"


def test_a_dripping_body_comes_a_byte_at_a_time_and_stays_open_in_the_ledger(caller: Caller):
    script(caller, body="0123456789", drip=60.0)
    address = urlsplit(caller.server.root)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        connection.sendall(f"GET /rest/races?format=json&api_key={KEY} HTTP/1.1\r\nHost: sandbox\r\n\r\n".encode())
        received = b""
        while not received.endswith(b"\r\n\r\n0"):
            received += connection.recv(4096)
        assert b"Content-Length: 10" in received
        (call,) = caller.world.ledger.calls()
        assert call["ended"] is None


def test_a_drip_without_pause_arrives_whole(caller: Caller):
    script(caller, body='{"races":[]}', drip=0.0)
    assert ask(caller).json == {"races": []}


def test_a_delay_is_time_on_the_wire_and_not_an_error(caller: Caller):
    script(caller, delay=0.05)
    assert "races" in ask(caller).json
    (call,) = caller.sandbox("ledger?calls=1")
    assert call["outcome"] == "fault delay"


def test_padding_makes_a_body_as_large_as_wanted(caller: Caller):
    script(caller, pad=3_000_000)
    reply = ask(caller)
    assert len(reply.body) > 3_000_000
    assert "races" in reply.json


def test_the_same_page_comes_for_ever_when_the_provider_forgets_the_keyset(caller: Caller, event_id: int):
    first = caller.participants(event_id, results_per_page=2).rows
    script(caller, ignore=["after_registration_id", "page"])
    after = first[-1]["registration_id"]
    assert caller.participants(event_id, results_per_page=2, after_registration_id=after).rows == first


def test_a_list_may_shrink_without_anybody_leaving(caller: Caller, event_id: int):
    everybody = caller.participants(event_id).rows
    script(caller, share=0.1)
    assert len(caller.participants(event_id).rows) <= len(everybody) * 0.2
    assert caller.participants(event_id).rows == everybody[: len(caller.participants(event_id).rows)]
    script(caller, clear=True)
    assert caller.participants(event_id).rows == everybody


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"explode": True}, "A fault has no explode"),
        ({"status": "500"}, "The status of a fault cannot be '500'"),
        ({"used": 3}, "A fault has no used"),
        ({"ignore": "page"}, "The ignore of a fault cannot be 'page'"),
    ],
)
def test_a_script_that_cannot_be_played_is_refused_with_a_sentence(
    caller: Caller, fault: dict[str, Any], sentence: str
):
    reply = caller.tell("faults", **fault)
    assert reply.status == 400
    assert sentence in reply.json["error"]
    assert caller.sandbox("faults") == []


def test_throttling_goes_before_the_script_and_uses_nothing_of_it_up(caller: Caller):
    caller.tell("change", kind="key", key=KEY, hourly_limit=1)
    ask(caller)
    script(caller, status=500, calls=1)
    assert ask(caller).json["error"]["error_code"] == 14
    assert "used" in caller.sandbox("faults")[0]
    assert caller.sandbox("faults")[0]["used"] == 0


def test_several_callers_use_a_fault_up_exactly_once_each(caller: Caller):
    script(caller, status=500, calls=5)
    statuses: list[int] = []
    names = list(caller.world.keys)

    def call(name: str) -> None:
        statuses.extend(caller.get("races", key=name).status for _ in range(5))

    threads = [threading.Thread(target=call, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 10 + [500] * 5
