"""Every call the sandbox saw, and what the provider would say about it."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

HOUR = 3600.0
MOST_AT_ONCE = 2


@dataclass(slots=True, kw_only=True)
class Call:
    """One call. Times are Unix seconds; `at_once` counts the key's open calls, this one included."""

    key: str
    endpoint: str
    race_id: int | None
    started: float
    at_once: int
    throttled: bool
    ended: float | None = None
    outcome: str = "open"


@dataclass(slots=True)
class _KeyCalls:
    calls: int = 0
    open: int = 0
    most_at_once: int = 0
    busiest_hour: int = 0
    throttled: int = 0
    by_endpoint: Counter[str] = field(default_factory=Counter)
    last_hour: deque[float] = field(default_factory=deque)


class Ledger:
    """Counts per key; a key that nobody knows is counted under what the caller sent."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, _KeyCalls] = {}
        self._calls: list[Call] = []

    def begin(self, *, key: str, endpoint: str, race_id: int | None, hourly_limit: int | None) -> Call:
        """Enter a call; it is throttled when it is the third at once or one too many in 3,600 s.

        `hourly_limit` is None for a key that there is not; nothing limits it.
        """
        with self._lock:
            now = self._clock()
            counts = self._keys.setdefault(key, _KeyCalls())
            while counts.last_hour and counts.last_hour[0] <= now - HOUR:
                counts.last_hour.popleft()
            counts.last_hour.append(now)
            counts.calls += 1
            counts.open += 1
            counts.by_endpoint[endpoint] += 1
            counts.busiest_hour = max(counts.busiest_hour, len(counts.last_hour))
            counts.most_at_once = max(counts.most_at_once, counts.open)
            too_many = counts.open > MOST_AT_ONCE or (hourly_limit is not None and len(counts.last_hour) > hourly_limit)
            throttled = too_many and hourly_limit is not None
            counts.throttled += throttled
            call = Call(
                key=key, endpoint=endpoint, race_id=race_id, started=now, at_once=counts.open, throttled=throttled
            )
            self._calls.append(call)
            return call

    def end(self, call: Call, outcome: str) -> None:
        """Close a call; a second time does nothing."""
        with self._lock:
            if call.ended is None:
                call.ended = self._clock()
                call.outcome = outcome
                self._keys[call.key].open -= 1

    def summary(self) -> dict[str, dict[str, Any]]:
        with self._lock:
            return {
                key: {
                    "calls": counts.calls,
                    "busiest_hour": counts.busiest_hour,
                    "most_at_once": counts.most_at_once,
                    "throttled": counts.throttled,
                    "by_endpoint": dict(counts.by_endpoint),
                }
                for key, counts in self._keys.items()
            }

    def calls(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {
                    "key": call.key,
                    "endpoint": call.endpoint,
                    "race_id": call.race_id,
                    "started": call.started,
                    "ended": call.ended,
                    "at_once": call.at_once,
                    "outcome": call.outcome,
                }
                for call in self._calls
            ]
