"""What the sandbox's world is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from partners.runsignup.sandbox.time_texts import parse_slashed

ACTIVE = "active"
REMOVED = "removed"
REASONS = ("removed", "cleared", "transferred", "deferred")

# One row as the API gives it with every optional block; never changed in place, an edit makes a new one.
Row = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Key:
    """One API key pair of a timing partner and the races it may see."""

    key: str
    secret: str
    name: str
    timezone: str
    entity_id: int
    hourly_limit: int
    race_ids: list[int] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Version:
    """What was true of a registration from `at` (Unix seconds) on. `modified` is what the API filters by."""

    at: float
    modified: int
    state: str
    row: Row
    reason: str | None = None
    successor: int | None = None


@dataclass(slots=True, kw_only=True)
class Registration:
    registration_id: int
    event: Event
    registered: float
    versions: list[Version]
    encoded: dict[tuple[bool, ...], bytes] = field(default_factory=dict)

    @property
    def current(self) -> Version:
        return self.versions[-1]

    @property
    def is_active(self) -> bool:
        return self.versions[-1].state == ACTIVE

    def add_version(self, version: Version) -> None:
        self.versions.append(version)
        self.encoded.clear()


@dataclass(slots=True, kw_only=True)
class Event:
    """One distance of one edition. `start_time` is the API's own text in the race's zone, or null."""

    event_id: int
    race: Race = field(repr=False)
    days_id: int
    name: str
    distance: str
    start_time: str | None
    opens: datetime
    fee: str
    require_dob: str = "T"
    previous_year_event_id: int | None = None
    cancelled: bool = False
    # In the order of their ids: the pages rely on it.
    registrations: list[Registration] = field(default_factory=list, repr=False)
    highest_bib: int = 0

    @property
    def start_local(self) -> datetime | None:
        """The start in race time without zone; null where the text is missing or no time."""
        return parse_slashed(self.start_time)

    @property
    def starts_at(self) -> datetime | None:
        local = self.start_local
        return None if local is None else local.replace(tzinfo=ZoneInfo(self.race.timezone))


@dataclass(slots=True, kw_only=True)
class Race:
    race_id: int
    name: str
    timezone: str
    city: str
    state: str
    zipcode: str
    street: str
    created: datetime
    modified: datetime
    questions: list[dict[str, Any]]
    is_draft: str = "F"
    is_private: str = "F"
    events: list[Event] = field(default_factory=list, repr=False)

    @property
    def listed_events(self) -> list[Event]:
        return [event for event in self.events if not event.cancelled]
