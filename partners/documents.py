"""What a provider hands on: typed, normalised documents. Nothing above the provider package knows its wire formats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from msgspec import Raw, Struct


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDocument:
    """One event of a race. Times are aware UTC.

    `starts_at` is None when the provider gave no usable start. `start_is_placeholder`: the time of day was 00:00 or
    the race's zone is unknown (then `starts_at` is read as US Eastern).
    """

    event_id: int
    name: str
    starts_at: datetime | None
    start_is_placeholder: bool
    ends_at: datetime | None
    distance: str
    event_type: str
    registration_opens_at: datetime | None
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceDocument:
    """One race with the events that the answer listed. `timezone` is the provider's text: maybe unknown or empty.

    `rejected_events` says of which events nothing could be read: a known event that is not in `events` may be one of
    them.
    """

    race_id: int
    name: str
    timezone: str
    city: str
    state: str
    country_code: str
    url: str
    next_date: date | None
    is_draft: bool
    is_private: bool
    registration_open: bool
    events: tuple[EventDocument, ...]
    raw: str
    rejected_events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RowError:
    """A row that cannot be stored; the rest of its page can. `registration_id` None: not even that is readable."""

    registration_id: int | None
    reason: str


class RejectedRow(Exception):
    """A row of a page that cannot be stored. The text says which field and why, without repeating the person's data."""


# There are many of the next and of ParticipantDocument: as a frozen dataclass making one costs ten times as much, a
# fifteenth of what a known page costs in all.
class ParticipantRow(Struct, frozen=True, kw_only=True, gc=False):
    """A participant as the page has it: the ids and the provider's own bytes, decoded only when they are new to us.

    `raw` is a view of the page's bytes, good for hashing: copying them costs as much. `bytes(row.raw)` for the rest.
    """

    registration_id: int
    event_id: int
    last_modified: int | None
    raw: bytes | Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantPage:
    """One page. `size` counts every row that the provider sent (also rejected ones): the paging rule needs it.

    `last_registration_id` is the highest id of the page (None for an empty page). `server_time` is the `Date` header
    in Unix seconds, None when absent or unreadable.
    """

    rows: tuple[ParticipantRow, ...]
    rejected: tuple[RowError, ...]
    size: int
    last_registration_id: int | None
    server_time: int | None


class ParticipantDocument(Struct, frozen=True, kw_only=True, gc=False):
    """A participant, normalised: stripped NFC-preserving text, "" for absent text, aware UTC times.

    `answers` is a tuple of {"question_id": int, "question": str, "response": str | list[str] | None} mappings.
    """

    registration_id: int
    event_id: int
    user_id: int | None
    first_name: str
    middle_name: str
    last_name: str
    email: str
    phone: str
    dob: date | None
    gender: str
    age: int | None
    street: str
    city: str
    state: str
    zipcode: str
    country_code: str
    bib: str
    chip: str
    team_id: int | None
    team_name: str
    registered_at: datetime | None
    modified_at: datetime | None
    amount_paid: Decimal | None
    imported: bool
    is_anonymous: bool
    answers: tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedRow:
    """A registration that is no longer active. `event_id` comes from the wrapper and may be wrong when several events
    were asked at once: find the participant by its registration id within the race."""

    registration_id: int
    event_id: int | None
    reason: str
    successor_registration_id: int | None
    removed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedPage:
    rows: tuple[RemovedRow, ...]
    rejected: tuple[RowError, ...]
    size: int
    last_registration_id: int | None
    server_time: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RacesPage:
    """One page of the list of races. `rejected` says what of it could not be read, races and events: when it is not
    empty, a known race or event that is missing here may be one of them. `size` counts all races that were sent."""

    races: tuple[RaceDocument, ...]
    rejected: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialReport:
    """What a key sees. `participants_readable` is None when there was no upcoming event to try. `key_style`: how the
    key was sent when it worked. `upcoming_races`: the provider's id and the name of each race with an upcoming event,
    the next start first."""

    races: int
    upcoming_events: int
    participants_readable: bool | None
    detail: str
    key_style: str = ""
    upcoming_races: tuple[tuple[int, str], ...] = ()
