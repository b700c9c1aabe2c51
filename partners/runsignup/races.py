"""Races and their events: from an answer to typed documents (contract §2)."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from partners.documents import EventDocument, RaceDocument, RacesPage, RejectedRow
from partners.runsignup import times
from partners.runsignup.answer import Answer
from partners.runsignup.bodies import body_of, decode, unknown_shape
from partners.runsignup.values import Flag, Scalar, flag, required_id, text, whole_number

# IANA names are shorter, country codes have two letters; what is longer is neither.
LONGEST_TIMEZONE = 64
LONGEST_COUNTRY = 8


class _Address(Struct):
    city: Scalar = None
    state: Scalar = None
    country_code: Scalar = None


class _Event(Struct):
    event_id: Scalar = None
    name: Scalar = None
    start_time: Scalar = None
    end_time: Scalar = None
    distance: Scalar = None
    event_type: Scalar = None
    registration_opens: Scalar = None


class _Race(Struct):
    race_id: Scalar = None
    name: Scalar = None
    timezone: Scalar = None
    address: _Address | None = None
    url: Scalar = None
    next_date: Scalar = None
    is_draft_race: Flag = None
    is_private_race: Flag = None
    is_registration_open: Flag = None
    events: list[Raw] | None = None


class _RaceId(Struct):
    race_id: Scalar = None


class _Wrapper(Struct):
    race: Raw


class _Races(Struct):
    races: list[Raw]


_RACES = msgspec.json.Decoder(_Races)
_WRAPPER = msgspec.json.Decoder(_Wrapper)
_WRAPPERS = msgspec.json.Decoder(list[_Wrapper])
_RACE = msgspec.json.Decoder(_Race)
_RACE_ID = msgspec.json.Decoder(_RaceId)
_EVENT = msgspec.json.Decoder(_Event)


def races_page(answer: Answer) -> RacesPage:
    """One page of the list of races. Raises ProviderError; one bad race does not stop the others."""
    races: list[RaceDocument] = []
    rejected: list[str] = []
    found = decode(body_of(answer, asked="key"), _RACES).races
    for element in found:
        try:
            races.append(_race(_inner(bytes(element))))
        except RejectedRow as error:
            rejected.append(str(error))
    for race in races:
        rejected += race.rejected_events
    return RacesPage(races=tuple(races), rejected=tuple(rejected), size=len(found))


def race(answer: Answer, *, race_id: int) -> RaceDocument:
    """The answer to "race `race_id`". Raises ProviderError, also when it is about another race."""
    body = body_of(answer, asked="race")
    # One client saw the object inside a list (contract §2.2).
    wrappers = decode(body, _WRAPPERS) if body.startswith(b"[") else [decode(body, _WRAPPER)]
    if len(wrappers) != 1:
        raise unknown_shape(f"{len(wrappers)} races instead of one")
    try:
        document = _race(bytes(wrappers[0].race))
    except RejectedRow as error:
        raise unknown_shape(str(error).rstrip(".")) from None
    if document.race_id != race_id:
        raise unknown_shape("another race than the one asked for")
    return document


def _inner(element: bytes) -> bytes:
    try:
        return bytes(_WRAPPER.decode(element).race)
    except (ValueError, RecursionError):
        raise RejectedRow("An element of the list is not a race.") from None


def _race(raw: bytes) -> RaceDocument:
    try:
        shown = raw.decode()
        row = _RACE.decode(raw)
        race_id = required_id(row.race_id, "race_id")
        events, rejected = _events(row, race_id)
        address = row.address or _Address()
        return RaceDocument(
            race_id=race_id,
            name=text(row.name, "name"),
            timezone=_at_most(text(row.timezone, "timezone"), LONGEST_TIMEZONE),
            city=text(address.city, "city"),
            state=text(address.state, "state"),
            country_code=_at_most(text(address.country_code, "country_code"), LONGEST_COUNTRY),
            url=text(row.url, "url"),
            next_date=times.calendar_date(row.next_date),
            is_draft=flag(row.is_draft_race),
            is_private=flag(row.is_private_race),
            registration_open=flag(row.is_registration_open),
            events=tuple(events),
            rejected_events=tuple(rejected),
            raw=shown,
        )
    except RejectedRow as error:
        raise RejectedRow(f"{_which(raw)}: {error}") from None
    except (ValueError, RecursionError):
        raise RejectedRow(f"{_which(raw)}: it cannot be read.") from None


def _which(raw: bytes) -> str:
    try:
        return f"Race {whole_number(_RACE_ID.decode(raw).race_id) or 'without id'}"
    except (ValueError, RecursionError):
        return "Race without id"


def _at_most(value: str, longest: int) -> str:
    return value if len(value) <= longest else ""


def _events(row: _Race, race_id: int) -> tuple[list[EventDocument], list[str]]:
    events: list[EventDocument] = []
    rejected: list[str] = []
    zone_name = text(row.timezone, "timezone")
    for raw in row.events or ():
        try:
            events.append(_event(bytes(raw), zone_name))
        except RejectedRow as error:
            rejected.append(f"An event of race {race_id}: {error}")
        except (ValueError, RecursionError):
            rejected.append(f"An event of race {race_id}: it cannot be read.")
    return events, rejected


def _event(raw: bytes, zone_name: str) -> EventDocument:
    shown = raw.decode()
    row = _EVENT.decode(raw)
    zone = times.zone_named(zone_name)
    clock = times.wall_clock(row.start_time)
    starts_at = times.in_zone(clock, zone or times.EASTERN)
    at_midnight = clock is not None and clock.hour == clock.minute == clock.second == 0
    return EventDocument(
        event_id=required_id(row.event_id, "event_id"),
        name=text(row.name, "name"),
        starts_at=starts_at,
        start_is_placeholder=starts_at is not None and (zone is None or at_midnight),
        ends_at=times.in_zone(times.wall_clock(row.end_time), zone or times.EASTERN),
        distance=text(row.distance, "distance"),
        event_type=text(row.event_type, "event_type"),
        # Eastern also for a race in Denver (trap 17).
        registration_opens_at=times.eastern(row.registration_opens),
        raw=shown,
    )
