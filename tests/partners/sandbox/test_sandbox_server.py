"""The server itself: where it listens, how it keeps connections, its clock, its speed, its end."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from partners.runsignup.sandbox import SandboxServer, World, build_world
from tests.partners.sandbox.caller import ANCHOR, Caller, Clock


def test_it_needs_nothing_but_the_standard_library():
    script = (
        "import sys, partners.runsignup.sandbox as sandbox\n"
        "sandbox.build_world(keys=1, races=1, events=1, participants=5)\n"
        "own = {name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "print(sorted(name for name in own if not name.startswith('_')))"
    )
    root = Path(__file__).resolve().parents[3]
    shown = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=root, capture_output=True, text=True, timeout=60, check=True
    )
    assert shown.stdout == "['partners']\n"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "::", "8.8.8.8"])
def test_it_listens_on_loopback_and_nowhere_else(world: World, host: str):
    with pytest.raises(ValueError, match="only on loopback"):
        SandboxServer(world, host=host)


def test_it_says_where_it_is(caller: Caller):
    assert caller.server.url == f"{caller.server.root}/rest"
    assert caller.server.url.startswith("http://127.0.0.1:")
    assert not caller.server.url.startswith("http://127.0.0.1:0")


def test_a_taken_port_is_an_os_error_and_a_freed_one_can_be_taken_again(world: World):
    with SandboxServer(world) as first:
        port = urlsplit(first.root).port or 0
        second = SandboxServer(world, port=port)
        with pytest.raises(OSError, match="in use"):
            second.start()
        second.stop()
    with SandboxServer(world, port=port) as third:
        assert Caller(third, world).sandbox("keys")


def test_one_connection_carries_many_calls(caller: Caller):
    address = urlsplit(caller.server.root)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    connection.connect()
    socket_before = connection.sock
    for _ in range(3):
        connection.request("GET", "/rest/races?format=json")
        response = connection.getresponse()
        assert response.version == 11
        assert json.loads(response.read())["races"]
        assert connection.sock is socket_before
    connection.close()


def test_it_stops_although_a_connection_is_kept_open(world: World):
    server = SandboxServer(world).start()
    address = urlsplit(server.root)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    connection.request("GET", "/rest/races?format=json")
    connection.getresponse().read()
    server.stop()
    assert connection.sock is not None
    assert connection.sock.recv(1) == b""
    connection.close()


def test_the_date_header_and_last_modified_are_the_providers_clock(caller: Caller, clock: Clock, event_id: int):
    assert parsedate_to_datetime(caller.raw("/rest/races").headers["date"]) == ANCHOR
    assert caller.tell("clock", offset=-600).json == {"offset": -600.0}
    (new,) = caller.tell("change", kind="register", event_id=event_id).json["registration_ids"]
    reply = caller.participants(event_id)
    assert parsedate_to_datetime(reply.headers["date"]).timestamp() == clock.at - 600
    row = next(row for row in reply.rows if row["registration_id"] == new)
    assert row["last_modified"] == clock.at - 600
    # The truth is told in true time, so that a checker need not know about the provider's clock.
    assert caller.world.truth(event_id)[-1]["at"] == clock.at
    assert caller.sandbox("clock") == {"now": clock.at - 600, "offset": -600.0}
    assert caller.sandbox("ledger?calls=1")[-1]["started"] == clock.at


def test_the_keys_are_told_with_everything_needed_to_use_them(caller: Caller):
    keys = caller.sandbox("keys")
    assert [key["key"] for key in keys] == ["sandbox-key-01", "sandbox-key-02", "sandbox-key-03"]
    for number, key in enumerate(keys, start=1):
        assert set(key) == {"key", "secret", "name", "timezone", "races", "hourly_limit"}
        assert key["secret"].startswith(f"sandbox-secret-{number:02d}-")
        assert key["hourly_limit"] == 1000
        assert caller.get(f"race/{key['races'][0]}", key=key["key"]).json["race"]


@pytest.mark.parametrize("path", ["truth", "truth?event_id=1", "history?event_id=x", "nothing"])
def test_a_question_about_nothing_is_a_404_with_a_sentence(caller: Caller, path: str):
    reply = caller.raw(f"/sandbox/{path}")
    assert reply.status == 404
    assert reply.json["error"].startswith("There is no")


@pytest.mark.parametrize("body", [[], "text", 7, None])
def test_a_control_that_is_no_json_object_is_refused(caller: Caller, body: object):
    reply = caller.raw("/sandbox/life", method="POST", body=body)
    assert reply.status == 400


def test_latency_is_added_to_every_call(world: World):
    with SandboxServer(world, latency=0.05) as server:
        started = time.monotonic()
        Caller(server, world).raw("/rest/races?format=json")
        assert time.monotonic() - started >= 0.05


def test_a_page_of_a_thousand_takes_well_under_100_ms_and_20000_people_a_few_seconds():
    """In seconds of processor time, server and caller together, so that a busy machine does not decide."""
    started = time.process_time()
    world = build_world(seed=1, anchor=ANCHOR)
    assert time.process_time() - started < 3.0
    full = next(race for race in world.races.values() if sum(len(event.registrations) for event in race.events) > 900)
    events = [event.event_id for event in full.events]
    with SandboxServer(world) as server:
        caller = Caller(server, world)
        caller.participants(*events, include_questions="T")
        times = []
        for _ in range(5):
            started = time.process_time()
            body = caller.participants(*events, include_questions="T").body
            times.append(time.process_time() - started)
        assert len(json.loads(body)) == len(events)
        assert min(times) < 0.1
        started = time.process_time()
        rows = sum(
            len(caller.participants(*(event.event_id for event in race.events), include_questions="T").rows)
            for race in world.races.values()
        )
        assert rows == 20_000
        assert time.process_time() - started < 6.0
