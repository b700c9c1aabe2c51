"""/races and /race/:id (contract §2)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from partners.runsignup.sandbox.model import Event, Key, Race
from partners.runsignup.sandbox.parameters import Parameters
from partners.runsignup.sandbox.rows import to_json
from partners.runsignup.sandbox.time_texts import (
    EASTERN,
    eastern_slashed,
    eastern_today,
    padded_date,
    slashed,
    slashed_day,
)
from partners.runsignup.sandbox.world import World

MOST_RACES_OF_A_PAGE = 1000


def races(world: World, key: Key | None, parameters: Parameters) -> bytes:
    """One page of the key's races (without a key all: the public catalogue), past ones only from a `start_date` on."""
    today = eastern_today(world.now())
    first = parameters.day("start_date", now=world.now()) or today
    last = parameters.day("end_date", now=world.now())
    page, size = parameters.page(most=MOST_RACES_OF_A_PAGE)
    ids = world.races if key is None else key.race_ids
    found = [
        race
        for race in (world.races[race_id] for race_id in ids)
        if any(end >= first and (last is None or begin <= last) for begin, end in _editions(race).values())
    ]
    _sort(found, parameters.text("sort"), today)
    return to_json(
        {"races": [{"race": _listed(race, parameters, today=today)} for race in found[(page - 1) * size : page * size]]}
    )


def race(world: World, race: Race, parameters: Parameters) -> bytes:
    """The race with all its events, past ones too unless told."""
    events = race.listed_events
    if parameters.flag("most_recent_events_only"):
        newest = max((event.days_id for event in events), default=0)
        events = [event for event in events if event.days_id == newest]
    if parameters.flag("future_events_only"):
        now = world.now()
        events = [event for event in events if (start := event.starts_at) is None or start.timestamp() >= now]
    days_id = parameters.number("race_event_days_id")
    if days_id is not None:
        events = [event for event in events if event.days_id == days_id]
    shown = _race(race, today=eastern_today(world.now())) | {"can_use_registration_api": "F"}
    shown["events"] = [_event(event) for event in events]
    if parameters.flag("include_questions"):
        shown["questions"] = race.questions
    return to_json({"race": shown})


def _sort(found: list[Race], sort: str, today: date) -> None:
    name, _, direction = (sort or "name ASC").partition(" ")
    if name == "name":
        found.sort(key=lambda race: (race.name, race.race_id), reverse=direction.upper() == "DESC")
    else:
        found.sort(key=lambda race: (_next_or_last(race, today), race.race_id), reverse=direction.upper() == "DESC")


def _next_or_last(race: Race, today: date) -> date:
    begins = [begin for begin, end in _editions(race).values()]
    return min((begin for begin in begins if begin >= today), default=max(begins, default=today))


def _listed(race: Race, parameters: Parameters, *, today: date) -> dict[str, Any]:
    shown = _race(race, today=today)
    if parameters.flag("include_event_days"):
        shown["race_event_days"] = [
            {"race_event_days_id": days_id, "start_date": slashed_day(begin), "end_date": slashed_day(end)}
            for days_id, (begin, end) in _editions(race).items()
        ]
    if parameters.flag("events"):
        # "Only the most current events are listed": those of the newest edition.
        newest = max((event.days_id for event in race.listed_events), default=0)
        shown["events"] = [_event(event) for event in race.listed_events if event.days_id == newest]
    return shown


def _editions(race: Race) -> dict[int, tuple[date, date]]:
    """First and last day of each edition. One whose starts are all missing has no day and is not listed by date."""
    editions: dict[int, tuple[date, date]] = {}
    for event in race.listed_events:
        start = event.start_local
        if start is not None:
            begin, end = editions.get(event.days_id, (start.date(), start.date()))
            editions[event.days_id] = (min(begin, start.date()), max(end, start.date()))
    return editions


def _race(race: Race, *, today: date) -> dict[str, Any]:
    days = sorted(_editions(race).values())
    before = [day for day in days if day[1] < today]
    coming = [day for day in days if day[1] >= today]
    last, upcoming = before[-1] if before else None, coming[0] if coming else None
    return {
        "race_id": race.race_id,
        "name": race.name,
        "last_date": padded_date(last[0]) if last else None,
        "last_end_date": padded_date(last[1]) if last else None,
        "next_date": padded_date(upcoming[0]) if upcoming else None,
        "next_end_date": padded_date(upcoming[1]) if upcoming else None,
        "is_draft_race": race.is_draft,
        "is_private_race": race.is_private,
        "is_registration_open": "T" if upcoming else "F",
        "created": slashed(race.created.astimezone(EASTERN)),
        "last_modified": slashed(race.modified.astimezone(EASTERN)),
        "description": "<p>A morning out.&nbsp;Bring layers.</p>\r\n",
        "url": f"https://runsignup.com/Race/{race.state}/Sandbox/{race.race_id}",
        "external_race_url": None,
        "external_results_url": None,
        "fb_page_id": None,
        "fb_event_id": None,
        "address": {
            "street": race.street,
            "street2": None,
            "city": race.city,
            "state": race.state,
            "zipcode": race.zipcode,
            "country_code": "US",
        },
        "timezone": race.timezone,
        "logo_url": None,
        "real_time_notifications_enabled": "F",
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "race_event_days_id": event.days_id,
        "name": event.name,
        "details": None,
        "start_time": event.start_time,
        "end_time": None,
        "age_calc_base_date": None,
        "registration_opens": eastern_slashed(event.opens.timestamp()),
        "event_type": "running_race",
        "distance": event.distance,
        "volunteer": "F",
        "require_dob": event.require_dob,
        "require_phone": "T",
        "previous_year_event_id": event.previous_year_event_id,
        "registration_periods": _periods(event),
        "sub_event_ids": [],
        "giveaway": None,
    }


def _periods(event: Event) -> list[dict[str, Any]]:
    """Open until the evening before, in the race's zone; told in Eastern."""
    start = event.start_local
    if start is None:
        return []
    evening = datetime.combine(start.date() - timedelta(days=1), datetime.min.time().replace(hour=22))
    return [
        {
            "registration_opens": eastern_slashed(event.opens.timestamp()),
            "registration_closes": eastern_slashed(evening.replace(tzinfo=ZoneInfo(event.race.timezone)).timestamp()),
            "race_fee": event.fee,
            "processing_fee": "$3.80",
        }
    ]
