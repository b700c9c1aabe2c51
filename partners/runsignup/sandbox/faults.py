"""A script of faults: what goes wrong for which calls, and how often."""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields
from typing import Any


class FaultError(ValueError):
    """The script asks for something there is not; the text is a sentence."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """What to match (null matches all), what to do, for how many calls (null: until cleared).

    Instead of the answer: `error` (a code, in HTTP `status`), `body` (text as it is), `html` (true), `status` (alone:
    an HTML page), `location` (a redirect), `drop` (close without a word).
    To the answer: `retry_after`, `truncate` (share of the body that is sent; `honest` makes Content-Length fit), `drip`
    (seconds per byte), `delay` (seconds before it), `pad` (blanks in front, bytes), `content_type`.
    To the question: `ignore` (parameters the provider forgets, such as after_registration_id: the same page for ever),
    `share` (only this part of the rows is there).
    """

    endpoint: str | None = None
    key: str | None = None
    race_id: int | None = None
    event_id: int | None = None
    calls: int | None = None

    status: int | None = None
    error: int | None = None
    message: str = "Scripted."
    body: str | None = None
    html: bool = False
    drop: bool = False
    location: str | None = None
    retry_after: str | None = None
    content_type: str | None = None
    truncate: float | None = None
    honest: bool = False
    drip: float | None = None
    delay: float = 0.0
    pad: int = 0
    ignore: tuple[str, ...] = ()
    share: float | None = None

    used: int = 0

    def matches(self, *, endpoint: str, key: str, race_id: int | None, event_ids: set[int]) -> bool:
        return (
            self.endpoint in (None, endpoint)
            and self.key in (None, key)
            and self.race_id in (None, race_id)
            and (self.event_id is None or self.event_id in event_ids)
            and (self.calls is None or self.used < self.calls)
        )

    @property
    def name(self) -> str:
        """What the ledger calls it: the first thing that it does."""
        for what in (
            "drop",
            "location",
            "html",
            "body",
            "error",
            "truncate",
            "drip",
            "pad",
            "ignore",
            "share",
            "status",
        ):
            if getattr(self, what) not in (None, False, 0, ()):
                return f"fault {what}"
        return "fault delay"


# What a script may say of each field; one that it leaves out stays at rest.
_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("endpoint", "key", "message", "body", "location", "content_type"), str),
    **dict.fromkeys(("race_id", "event_id", "calls", "status", "error", "pad"), int),
    **dict.fromkeys(("truncate", "drip", "delay", "share"), (int, float)),
    **dict.fromkeys(("html", "drop", "honest"), bool),
    "retry_after": (str, int),
    "ignore": (list, tuple),
}


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, **what: Any) -> None:
        """Put one more fault into the script; the first that matches a call happens to it. Raises FaultError."""
        for name, value in what.items():
            if name not in _TYPES:
                raise FaultError(f"A fault has no {name}. Known: {', '.join(sorted(_TYPES))}.")
            if not isinstance(value, _TYPES[name]):
                raise FaultError(f"The {name} of a fault cannot be {value!r}.")
        if "ignore" in what:
            what["ignore"] = tuple(what["ignore"])
        if "retry_after" in what:
            what["retry_after"] = str(what["retry_after"])
        fault = Fault(**what)
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def take(self, *, endpoint: str, key: str, race_id: int | None, event_ids: set[int]) -> Fault | None:
        """The fault for this call, used up once."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(endpoint=endpoint, key=key, race_id=race_id, event_ids=event_ids):
                    fault.used += 1
                    return fault
        return None

    def listing(self) -> list[dict[str, Any]]:
        """What is scripted and how often it happened, without the fields at rest."""
        with self._lock:
            return [
                {each.name: value for each in fields(Fault) if (value := getattr(fault, each.name)) != each.default}
                | {"used": fault.used}
                for fault in self._faults
            ]
