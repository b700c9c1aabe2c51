"""What a test or a demo may ask and tell the sandbox under /sandbox; without a password, so on loopback only."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from partners.runsignup.sandbox.changes import ChangeError
from partners.runsignup.sandbox.faults import FaultError
from partners.runsignup.sandbox.life_thread import LifeThread
from partners.runsignup.sandbox.world import World


class ControlError(Exception):
    """(HTTP status, sentence)."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Control:
    """GET keys, caller, truth, history, ledger, faults, life, clock; POST life, change, faults, clock."""

    def __init__(self, world: World, life: LifeThread) -> None:
        self._world = world
        self._life = life
        self._gets: dict[str, Callable[[dict[str, str]], Any]] = {
            "keys": lambda query: world.key_list(),
            "caller": lambda query: dict(zip(("reg", "reg_secret"), world.caller_registration, strict=True)),
            "truth": lambda query: world.truth(_event_id(world, query)),
            "history": lambda query: world.history(_event_id(world, query)),
            "ledger": lambda query: world.ledger.calls() if query.get("calls") == "1" else world.ledger.summary(),
            "faults": lambda query: world.faults.listing(),
            "life": lambda query: {"changes_per_minute": life.changes_per_minute, "changes": life.changes},
            "clock": lambda query: {"now": world.now(), "offset": world.clock_offset},
        }
        self._posts: dict[str, Callable[[dict[str, Any]], Any]] = {
            "life": self._set_life,
            "change": self._change,
            "faults": self._set_faults,
            "clock": self._set_clock,
        }

    def get(self, path: str, query: str) -> Any:
        return self._handler(self._gets, path)(dict(parse_qsl(query)))

    def post(self, path: str, body: bytes) -> Any:
        handler = self._handler(self._posts, path)
        try:
            told = json.loads(body or b"{}")
        except ValueError:
            raise ControlError(400, "The body is not JSON.") from None
        if not isinstance(told, dict):
            raise ControlError(400, "The body must be a JSON object.")
        try:
            return handler(told)
        except (ChangeError, FaultError) as error:
            raise ControlError(400, str(error)) from error

    def _handler(self, handlers: dict[str, Callable[[Any], Any]], path: str) -> Callable[[Any], Any]:
        name = path.removeprefix("/sandbox").strip("/")
        if name not in handlers:
            raise ControlError(404, f"There is no /sandbox/{name}. Known: {', '.join(sorted(handlers))}.")
        return handlers[name]

    def _set_life(self, told: dict[str, Any]) -> Any:
        rate = _number(told, "changes_per_minute")
        if rate < 0:
            raise ControlError(400, "changes_per_minute cannot be negative.")
        self._life.changes_per_minute = rate
        return {"changes_per_minute": rate}

    def _change(self, told: dict[str, Any]) -> Any:
        kind = told.pop("kind", None)
        if not isinstance(kind, str) or "now" in told:
            raise ControlError(400, 'Name the kind of change: {"kind": "register", "event_id": 990101}.')
        return self._world.change(kind, **told)

    def _set_faults(self, told: dict[str, Any]) -> Any:
        """{"clear": true} empties the script first; every other field describes one fault."""
        if told.pop("clear", False):
            self._world.faults.clear()
        if told:
            self._world.faults.add(**told)
        return self._world.faults.listing()

    def _set_clock(self, told: dict[str, Any]) -> Any:
        self._world.clock_offset = _number(told, "offset")
        return {"offset": self._world.clock_offset}


def _event_id(world: World, query: dict[str, str]) -> int:
    text = query.get("event_id", "")
    if not text.isdigit() or int(text) not in world.events:
        raise ControlError(404, f"There is no event {text or '(event_id is missing)'}.")
    return int(text)


def _number(told: dict[str, Any], name: str) -> float:
    value = told.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ControlError(400, f"{name} must be a number.")
    return float(value)
