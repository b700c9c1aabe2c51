"""From a call to the body that answers it: who calls, what for, may they, in which format."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from partners.runsignup.sandbox import people_answers, race_answers
from partners.runsignup.sandbox.faults import Fault
from partners.runsignup.sandbox.model import Key, Race
from partners.runsignup.sandbox.parameters import ApiError, Parameters
from partners.runsignup.sandbox.rows import to_json
from partners.runsignup.sandbox.world import World

JSON = "application/json; charset=utf-8"
XML = "text/xml; charset=utf-8"

_ROUTES = (
    (re.compile(r"/rest/races/?"), "races"),
    (re.compile(r"/rest/race/(\d+)/?"), "race"),
    (re.compile(r"/rest/race/(\d+)/participants/?"), "participants"),
    (re.compile(r"/rest/race/(\d+)/removed-participants/?"), "removed-participants"),
    (re.compile(r"/rest/race/(\d+)/participant-counts/?"), "participant-counts"),
    (re.compile(r"/rest/v2/auth-info/entity-info\.json"), "entity-info"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A call as it came in. `key` is what the caller sent, known or not; `header_style` is the v2 pair."""

    endpoint: str
    race_id: int | None
    parameters: Parameters
    key: str
    secret: str
    header_style: bool
    registration: tuple[str, str]

    @property
    def event_ids(self) -> set[int]:
        return {int(part) for part in self.parameters.text("event_id").split(",") if part.strip().isdigit()}


def read_question(path: str, query: str, headers: Mapping[str, str]) -> Question | None:
    """The question of a GET; None for a path that the API has not (its web server says 404)."""
    lowered = path.lower()
    for pattern, endpoint in _ROUTES:
        matched = pattern.fullmatch(lowered)
        if matched:
            parameters = Parameters.of_query(query)
            header_style = "rsu_api_key" in parameters.values
            return Question(
                endpoint=endpoint,
                race_id=int(matched[1]) if matched.groups() else None,
                parameters=parameters,
                key=parameters.text("rsu_api_key" if header_style else "api_key"),
                secret=headers.get("X-RSU-API-SECRET") or "" if header_style else parameters.text("api_secret"),
                header_style=header_style,
                registration=(parameters.text("rsu_api_reg"), headers.get("X-RSU-API-REG-SECRET") or ""),
            )
    return None


def answer(world: World, question: Question, fault: Fault | None = None) -> bytes:
    """The JSON that answers. Raises ApiError."""
    with world.lock:
        key = _authenticated(world, question)
        parameters = question.parameters.without(fault.ignore) if fault else question.parameters
        share = fault.share if fault else None
        if question.endpoint == "races":
            return race_answers.races(world, key, parameters)
        if question.endpoint == "entity-info":
            return _entity(key, question)
        race = _race(world, key, question)
        if question.endpoint == "race":
            return race_answers.race(world, race, parameters)
        if key is None:
            raise ApiError(7, "Permission Denied")
        if question.endpoint == "participants":
            return people_answers.participants(race, parameters, share=share)
        if question.endpoint == "removed-participants":
            return people_answers.removed_participants(race, parameters, share=share)
        return people_answers.participant_counts(race, parameters)


def error_json(code: int, message: str) -> bytes:
    return to_json({"error": {"error_code": code, "error_msg": message}})


def in_format(body: bytes, question: Question) -> tuple[bytes, str]:
    """(body, content type) in the format asked for: XML unless told, JSON always for v2. Raises ApiError 10."""
    wanted = question.parameters.text("format", "xml").lower()
    if wanted == "json" or question.endpoint == "entity-info":
        return body, JSON
    if wanted == "xml":
        return to_xml(json.loads(body)), XML
    raise ApiError(10, "Response format not supported")


def to_xml(data: Any) -> bytes:
    """Some XML with the same content; nobody is meant to read it, only to notice it."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_element("result", data)}'.encode(errors="replace")


def _element(name: str, data: Any) -> str:
    if isinstance(data, dict):
        inner = "".join(_element(child, value) for child, value in data.items())
    elif isinstance(data, list):
        inner = "".join(_element("item", value) for value in data)
    else:
        inner = "" if data is None else escape(str(data))
    return f"<{name}>{inner}</{name}>"


def _authenticated(world: World, question: Question) -> Key | None:
    """The caller's key; None without credentials, which sees what is public."""
    if question.registration != ("", "") and question.registration != world.caller_registration:
        raise ApiError(17, "Invalid API caller credentials.", status=400)
    if not question.key and not question.secret:
        return None
    key = world.keys.get(question.key)
    if key is None or not hmac.compare_digest(key.secret.encode(), question.secret.encode()):
        raise ApiError(6, "Key authentication failed")
    return key


def _entity(key: Key | None, question: Question) -> bytes:
    """Who a v2 key is. A query-style pair is no v2 key and fails."""
    if key is None:
        raise ApiError(7, "Permission Denied")
    if not question.header_style:
        raise ApiError(6, "Key authentication failed")
    return to_json(
        {
            "generic_entity_id": key.entity_id + 90_000,
            "entity_type": "partner",
            "entity_name": key.name,
            "entity_specific_id": key.entity_id,
        }
    )


def _race(world: World, key: Key | None, question: Question) -> Race:
    race = world.races.get(question.race_id or 0)
    if race is None:
        raise ApiError(201, "Race not found.")
    if key is not None and race.race_id not in key.race_ids:
        raise ApiError(7, "Permission Denied")
    return race
