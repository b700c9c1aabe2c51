"""A caller of the sandbox over HTTP, and a clock for its world that is moved by hand."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from partners.runsignup.sandbox import SandboxServer, World, build_world

ANCHOR = datetime(2026, 6, 6, 10, 0, tzinfo=UTC)


@dataclass
class Clock:
    """The world's clock, moved by hand."""

    at: float = ANCHOR.timestamp()

    def __call__(self) -> float:
        return self.at


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for wrapper in self.json for row in wrapper.get("participants") or []]

    @property
    def removed(self) -> list[dict[str, Any]]:
        return [row for wrapper in self.json for row in wrapper.get("event", {}).get("participants") or []]


@dataclass
class Caller:
    """Asks over HTTP, with the key of the race unless told otherwise."""

    server: SandboxServer
    world: World
    headers: dict[str, str] = field(default_factory=dict)

    def raw(self, path: str, *, headers: dict[str, str] | None = None, method: str = "GET", body: Any = None) -> Reply:
        address = urlsplit(self.server.root)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers or {})
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def key_of(self, race_id: int) -> str:
        return next(key.key for key in self.world.keys.values() if race_id in key.race_ids)

    def get(self, path: str, *, key: str, **parameters: Any) -> Reply:
        query = {"format": "json", "api_key": key, "api_secret": self.world.keys[key].secret} | parameters
        return self.raw(f"/rest/{path}?{urlencode(query)}")

    def of_race(self, race_id: int, endpoint: str = "", **parameters: Any) -> Reply:
        return self.get(f"race/{race_id}{endpoint and '/'}{endpoint}", key=self.key_of(race_id), **parameters)

    def participants(self, *event_ids: int, **parameters: Any) -> Reply:
        race_id = self.world.events[event_ids[0]].race.race_id
        asked = {"event_id": ",".join(map(str, event_ids)), "results_per_page": 1000, "supports_nb": "T"}
        return self.of_race(race_id, "participants", **(asked | parameters))

    def removed(self, *event_ids: int, **parameters: Any) -> Reply:
        race_id = self.world.events[event_ids[0]].race.race_id
        asked = {"event_id": ",".join(map(str, event_ids)), "results_per_page": 1000, "supports_nb": "T"}
        return self.of_race(race_id, "removed-participants", **(asked | parameters))

    def sandbox(self, path: str) -> Any:
        return self.raw(f"/sandbox/{path}").json

    def tell(self, what: str, **body: Any) -> Reply:
        return self.raw(f"/sandbox/{what}", method="POST", body=body)


def small_world(clock: Clock | None = None, **sizes: Any) -> World:
    asked: dict[str, Any] = {"keys": 3, "races": 21, "events": 60, "participants": 1500}
    return build_world(seed=7, anchor=ANCHOR, clock=clock or Clock(), **(asked | sizes))


def sibling_of(world: World, event_id: int) -> int | None:
    event = world.events[event_id]
    return next(
        (
            other.event_id
            for other in event.race.events
            if other is not event and other.days_id == event.days_id and len(other.registrations) >= 5
        ),
        None,
    )
