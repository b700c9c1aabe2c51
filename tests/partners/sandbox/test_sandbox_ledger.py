"""What the sandbox counts, and when it throttles."""

from __future__ import annotations

import http.client
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from partners.runsignup.sandbox import SandboxServer, World
from partners.runsignup.sandbox.ledger import Ledger
from tests.partners.sandbox.caller import Caller, Clock, Reply, small_world

KEY = "sandbox-key-01"


def throttled(reply: Reply) -> bool:
    return reply.status == 200 and "error" in reply.json and reply.json["error"]["error_code"] == 14


def test_calls_are_counted_per_key_and_endpoint(caller: Caller, event_id: int):
    key = caller.key_of(caller.world.events[event_id].race.race_id)
    caller.get("races", key=key)
    caller.participants(event_id)
    caller.participants(event_id)
    caller.removed(event_id)
    other = next(name for name in caller.world.keys if name != key)
    caller.get("races", key=other)
    ledger = caller.sandbox("ledger")
    assert ledger[key] == {
        "calls": 4,
        "busiest_hour": 4,
        "most_at_once": 1,
        "throttled": 0,
        "by_endpoint": {"races": 1, "participants": 2, "removed-participants": 1},
    }
    assert ledger[other]["calls"] == 1


def test_every_call_is_kept_with_its_outcome(caller: Caller, clock: Clock, event_id: int):
    race_id = caller.world.events[event_id].race.race_id
    key = caller.key_of(race_id)
    caller.participants(event_id)
    clock.at += 5
    caller.of_race(race_id, "participants")
    caller.raw("/rest/races?format=json&api_key=nobody&api_secret=wrong")
    calls = caller.sandbox("ledger?calls=1")
    assert [(call["key"], call["endpoint"], call["race_id"], call["outcome"]) for call in calls] == [
        (key, "participants", race_id, "ok"),
        (key, "participants", race_id, "error 3"),
        ("nobody", "races", None, "error 6"),
    ]
    assert calls[1]["started"] - calls[0]["started"] == 5
    assert all(call["started"] <= call["ended"] and call["at_once"] == 1 for call in calls)


def test_the_questions_about_the_sandbox_itself_are_not_calls(caller: Caller):
    caller.sandbox("keys")
    caller.sandbox("ledger")
    assert caller.sandbox("ledger") == {}


def test_more_than_the_hourly_limit_in_a_sliding_hour_is_error_14_and_marked(caller: Caller, clock: Clock):
    caller.tell("change", kind="key", key=KEY, hourly_limit=3)
    start = clock.at
    for minute in (0, 20, 40):
        clock.at = start + minute * 60
        assert not throttled(caller.get("races", key=KEY))
    clock.at = start + 3599
    assert throttled(caller.get("races", key=KEY))
    # The first call has left the window, the throttled one is in it.
    clock.at = start + 3600
    assert throttled(caller.get("races", key=KEY))
    clock.at = start + 2 * 3600
    assert not throttled(caller.get("races", key=KEY))
    ledger = caller.sandbox("ledger")[KEY]
    assert (ledger["calls"], ledger["throttled"], ledger["busiest_hour"]) == (6, 2, 4)
    assert [call["outcome"] for call in caller.sandbox("ledger?calls=1")].count("throttled") == 2


def test_keys_do_not_share_a_limit(caller: Caller):
    caller.tell("change", kind="key", key=KEY, hourly_limit=1)
    caller.get("races", key=KEY)
    assert throttled(caller.get("races", key=KEY))
    assert not throttled(caller.get("races", key="sandbox-key-02"))


def test_the_busiest_hour_is_the_fullest_of_all_sliding_ones():
    clock = Clock(at=0.0)
    ledger = Ledger(clock=clock)
    for moment in (0, 3590, 3595, 3605, 3610, 7205):
        clock.at = float(moment)
        ledger.end(ledger.begin(key="k", endpoint="races", race_id=None, hourly_limit=1000), "ok")
    # 3600, 7198, 7199 and, an hour after 3600 but not after 3600 + something, 7200 no longer with 3600.
    # Around the full hour; neither clock hour saw more than three.
    assert ledger.summary()["k"]["busiest_hour"] == 4


def test_a_third_call_at_once_is_throttled_and_the_ledger_saw_three():
    world = small_world()
    world.faults.add(delay=60.0, calls=2)
    with SandboxServer(world) as server, ThreadPoolExecutor(2) as pool:
        caller = Caller(server, world)
        slow = [pool.submit(caller.get, "races", key=KEY) for _ in range(2)]
        wait_for_open_calls(world, 2)
        assert throttled(caller.get("races", key=KEY))
        assert not throttled(caller.get("races", key="sandbox-key-02"))
        ledger = world.ledger.summary()
        assert (ledger[KEY]["most_at_once"], ledger[KEY]["throttled"]) == (3, 1)
        assert ledger["sandbox-key-02"]["most_at_once"] == 1
        server.stop()
        assert all(call.exception() is not None for call in slow)


def test_two_callers_that_ask_again_at_once_are_never_counted_as_three(world: World):
    """A call is over for the ledger before its caller can have read the whole answer."""
    with SandboxServer(world) as server:
        caller = Caller(server, world)
        replies: list[Reply] = []

        def ask() -> None:
            replies.extend(caller.get("races", key=KEY, events="T") for _ in range(60))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not any(throttled(reply) for reply in replies)
    ledger = world.ledger.summary()[KEY]
    assert (ledger["calls"], ledger["throttled"]) == (120, 0)
    assert ledger["most_at_once"] <= 2


def test_a_caller_that_hangs_up_no_longer_counts_as_open():
    world = small_world()
    world.faults.add(delay=60.0, calls=1)
    with SandboxServer(world) as server:
        caller = Caller(server, world)
        hang_up(caller)
        wait_for_open_calls(world, 0)
        (call,) = world.ledger.calls()
        assert call["outcome"] == "abandoned"


def hang_up(caller: Caller) -> None:
    address = urlsplit(caller.server.root)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    connection.request("GET", f"/rest/races?format=json&api_key={KEY}")
    wait_for_open_calls(caller.world, 1)
    connection.close()


def wait_for_open_calls(world: World, count: int) -> None:
    """Turn until the server's threads have come so far; bounded by the runner's patience of ten seconds."""
    turn = threading.Event()
    for _ in range(2000):
        if sum(call["ended"] is None for call in world.ledger.calls()) == count:
            return
        turn.wait(0.005)
    raise AssertionError(f"never {count} open calls: {world.ledger.calls()}")
