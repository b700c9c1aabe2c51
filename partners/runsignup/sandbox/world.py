"""The world: keys, races, people, one lock, one clock. What happens in it is in `changes` and `life`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from random import Random
from typing import Any

from partners.runsignup.sandbox import changes, life, truth
from partners.runsignup.sandbox.faults import Faults
from partners.runsignup.sandbox.ledger import Ledger
from partners.runsignup.sandbox.model import Event, Key, Race, Registration


class World:
    """Everything the sandbox knows. Hold `lock` (re-entrant) around anything that reads or writes more than one thing.

    `clock` gives true Unix seconds; history and ledger are written in it. `clock_offset` is what the provider's own
    clock (the `Date` header and every `last_modified`) is off by.
    """

    def __init__(
        self,
        *,
        keys: list[Key],
        races: list[Race],
        caller_registration: tuple[str, str],
        seed: int = 1,
        began: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.clock_offset = 0.0
        self.seed = seed
        self.began = began
        self.keys = {key.key: key for key in keys}
        self.races = {race.race_id: race for race in races}
        self.events = {event.event_id: event for race in races for event in race.events}
        self.registrations: dict[int, Registration] = {}
        self.caller_registration = caller_registration
        self.ledger = Ledger(clock=clock)
        self.faults = Faults()
        self._next_registration_id = 1
        self._next_user_id = 60_000_001

    def now(self) -> float:
        """What the provider thinks the time is, Unix seconds."""
        return self.clock() + self.clock_offset

    def add_registrations(self, registrations: list[Registration]) -> None:
        """Take in registrations whose ids ascend and are newer than all there are."""
        with self.lock:
            for registration in registrations:
                self.registrations[registration.registration_id] = registration
                registration.event.registrations.append(registration)
                self._next_registration_id = registration.registration_id + 1

    def new_registration_id(self) -> int:
        return self._next_registration_id

    def new_user_id(self) -> int:
        self._next_user_id += 1
        return self._next_user_id

    def change(self, kind: str, *, now: float | None = None, **details: Any) -> dict[str, Any]:
        """One scripted change: {kind, at, registration_ids, successor_ids}; see `changes.apply`. Raises ChangeError."""
        with self.lock:
            return changes.apply(self, kind, now=self.clock() if now is None else now, details=details)

    def live(self, now: float, rng: Random) -> dict[str, Any] | None:
        """Let one thing happen that people do; None where nothing can. The same `rng` and `now` do the same."""
        with self.lock:
            return life.step(self, now=now, rng=rng)

    def truth(self, event_id: int) -> list[dict[str, Any]]:
        """All registrations of the event as they are now (see `truth.of_event`). KeyError for an unknown event."""
        with self.lock:
            return truth.of_event(self.event(event_id))

    def history(self, event_id: int) -> list[dict[str, Any]]:
        """All versions of all registrations of the event (see `truth.history_of_event`)."""
        with self.lock:
            return truth.history_of_event(self.event(event_id))

    def event(self, event_id: int) -> Event:
        return self.events[event_id]

    def key_list(self) -> list[dict[str, Any]]:
        with self.lock:
            return [
                {
                    "key": key.key,
                    "secret": key.secret,
                    "name": key.name,
                    "timezone": key.timezone,
                    "races": list(key.race_ids),
                    "hourly_limit": key.hourly_limit,
                }
                for key in self.keys.values()
            ]
