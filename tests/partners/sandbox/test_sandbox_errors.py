"""Who may ask what, and how a refusal looks (contract §1, §5)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.partners.sandbox.caller import Caller, Reply


def code(reply: Reply) -> int:
    assert reply.status == 200
    assert set(reply.json) == {"error"}
    return reply.json["error"]["error_code"]


@pytest.fixture
def race_id(caller: Caller) -> int:
    return next(iter(caller.world.keys.values())).race_ids[0]


def test_both_styles_of_a_key_are_accepted(caller: Caller, race_id: int):
    key = caller.world.keys[caller.key_of(race_id)]
    query = caller.raw(f"/rest/race/{race_id}?format=json&api_key={key.key}&api_secret={key.secret}")
    header = caller.raw(
        f"/rest/race/{race_id}?format=json&rsu_api_key={key.key}", headers={"X-RSU-API-SECRET": key.secret}
    )
    assert query.json == header.json
    assert header.json["race"]["race_id"] == race_id


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("api_key=sandbox-key-01&api_secret=wrong", {}),
        ("api_key=sandbox-key-01", {}),
        ("api_key=nobody&api_secret=wrong", {}),
        ("rsu_api_key=sandbox-key-01", {}),
        ("rsu_api_key=sandbox-key-01", {"X-RSU-API-SECRET": "wrong"}),
        ("rsu_api_key=sandbox-key-01&api_secret={secret}", {}),
    ],
)
def test_a_wrong_key_or_secret_is_error_6(caller: Caller, query: str, headers: dict[str, str]):
    query = query.format(secret=caller.world.keys["sandbox-key-01"].secret)
    assert code(caller.raw(f"/rest/races?format=json&{query}", headers=headers)) == 6


def test_a_foreign_race_is_error_7_and_an_unknown_one_201(caller: Caller, race_id: int):
    foreign = next(key.key for key in caller.world.keys.values() if race_id not in key.race_ids)
    for endpoint in ("", "/participants?event_id=1&x", "/removed-participants", "/participant-counts"):
        path = f"race/{race_id}{endpoint.partition('?')[0]}"
        assert code(caller.get(path, key=foreign, event_id=1)) == 7
    assert code(caller.get("race/5/participants", key=foreign, event_id=1)) == 201


@pytest.mark.parametrize("endpoint", ["participants", "removed-participants", "participant-counts"])
@pytest.mark.parametrize(
    ("parameters", "expected"), [({}, 3), ({"event_id": ""}, 3), ({"event_id": "abc"}, 3), ({"event_id": "1"}, 301)]
)
def test_a_missing_event_is_error_3_and_an_unknown_one_301(
    caller: Caller, race_id: int, endpoint: str, parameters: dict[str, Any], expected: int
):
    assert code(caller.of_race(race_id, endpoint, **parameters)) == expected


def test_one_unknown_event_or_one_of_another_race_fails_the_whole_call(caller: Caller, race_id: int):
    events = [event.event_id for event in caller.world.races[race_id].events]
    other = next(event.event_id for event in caller.world.events.values() if event.race.race_id != race_id)
    assert code(caller.of_race(race_id, "participants", event_id=f"{events[0]},{other}")) == 301


@pytest.mark.parametrize(
    "parameters",
    [{"results_per_page": "x"}, {"results_per_page": "-1"}, {"page": "0"}, {"after_registration_id": "abc"}],
)
def test_what_is_no_number_is_error_3(caller: Caller, event_id: int, parameters: dict[str, str]):
    assert code(caller.participants(event_id, **parameters)) == 3


def test_a_caller_registration_is_checked_when_it_is_sent_whole_or_in_half(caller: Caller, race_id: int):
    key = caller.world.keys[caller.key_of(race_id)]
    registration = caller.sandbox("caller")
    known, secret = quote(registration["reg"]), registration["reg_secret"]

    def ask(query: str, headers: dict[str, str]) -> Reply:
        path = f"/rest/race/{race_id}?format=json&api_key={key.key}&api_secret={key.secret}{query}"
        return caller.raw(path, headers=headers)

    assert ask(f"&rsu_api_reg={known}", {"X-RSU-API-REG-SECRET": secret}).status == 200
    for query, headers in (
        (f"&rsu_api_reg={known}", {}),
        ("", {"X-RSU-API-REG-SECRET": secret}),
        (f"&rsu_api_reg={known}", {"X-RSU-API-REG-SECRET": "wrong"}),
        ("&rsu_api_reg=1.2", {"X-RSU-API-REG-SECRET": secret}),
    ):
        refused = ask(query, headers)
        assert (refused.status, refused.json["error"]["error_code"]) == (400, 17)


def test_without_a_format_the_answer_is_xml_and_an_error_too(caller: Caller, race_id: int):
    reply = caller.raw(f"/rest/race/{race_id}")
    assert reply.headers["content-type"].startswith("text/xml")
    assert reply.body.startswith(b"<?xml")
    assert f"<race_id>{race_id}</race_id>".encode() in reply.body
    refused = caller.raw("/rest/race/5")
    assert b"<error_code>201</error_code>" in refused.body
    assert code(caller.raw(f"/rest/race/{race_id}?format=csv")) == 10


def test_the_entity_of_a_v2_key_is_told_and_a_query_pair_is_none(caller: Caller):
    key = next(iter(caller.world.keys.values()))
    path = "/rest/v2/auth-info/entity-info.json"
    told = caller.raw(f"{path}?rsu_api_key={key.key}", headers={"X-RSU-API-SECRET": key.secret}).json
    assert (told["entity_type"], told["entity_name"]) == ("partner", key.name)
    assert isinstance(told["generic_entity_id"], int)
    assert isinstance(told["entity_specific_id"], int)
    assert code(caller.raw(f"{path}?api_key={key.key}&api_secret={key.secret}")) == 6
    assert code(caller.raw(path)) == 7


@pytest.mark.parametrize("prefix", ["rest", "Rest", "REST"])
def test_the_base_is_spelled_any_way(caller: Caller, race_id: int, prefix: str):
    assert caller.raw(f"/{prefix}/race/{race_id}?format=json").json["race"]["race_id"] == race_id


@pytest.mark.parametrize("path", ["/", "/rest", "/rest/race/x", "/rest/race/1/results", "/api/races", "/sandbox"])
def test_a_wrong_path_is_the_web_servers_404_page(caller: Caller, path: str):
    reply = caller.raw(path)
    assert (reply.status, reply.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert b"nginx" in reply.body


def test_writing_is_not_offered(caller: Caller, race_id: int):
    assert code(caller.raw(f"/rest/race/{race_id}/participants", method="POST", body={})) == 2


def test_a_timer_who_is_taken_off_the_race_is_refused_there_and_nowhere_else(caller: Caller, race_id: int):
    key = caller.key_of(race_id)
    other = next(other for other in caller.world.keys[key].race_ids if other != race_id)
    caller.tell("change", kind="revoke", key=key, race_id=race_id)
    assert code(caller.get(f"race/{race_id}", key=key)) == 7
    assert caller.get(f"race/{other}", key=key).json["race"]["race_id"] == other
    caller.tell("change", kind="grant", key=key, race_id=race_id)
    assert caller.get(f"race/{race_id}", key=key).json["race"]["race_id"] == race_id


def test_a_race_may_be_under_two_keys(caller: Caller, race_id: int):
    other = next(key.key for key in caller.world.keys.values() if race_id not in key.race_ids)
    caller.tell("change", kind="grant", key=other, race_id=race_id)
    event_id = caller.world.races[race_id].events[-1].event_id
    one = caller.of_race(race_id, "participants", event_id=event_id)
    two = caller.get(f"race/{race_id}/participants", key=other, event_id=event_id)
    assert one.json == two.json


def test_a_new_secret_replaces_the_old_one_at_once(caller: Caller, race_id: int):
    key = caller.world.keys[caller.key_of(race_id)]
    old = key.secret
    caller.tell("change", kind="key", key=key.key, secret="rotated")
    assert code(caller.raw(f"/rest/races?format=json&api_key={key.key}&api_secret={old}")) == 6
    assert "races" in caller.raw(f"/rest/races?format=json&api_key={key.key}&api_secret=rotated").json
