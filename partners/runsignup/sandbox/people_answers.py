"""/participants, /removed-participants and /participant-counts, with the oddities of their shapes (contract §3, §4)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from partners.runsignup.sandbox.model import Event, Race, Registration
from partners.runsignup.sandbox.parameters import INVALID, ApiError, Parameters
from partners.runsignup.sandbox.rows import Blocks, condensed_row, encoded_row, removed_row, shown_row, to_json

MOST_ROWS_OF_A_PAGE = 2500

_SORTS: dict[str, Callable[[Registration], Any]] = {
    "registration_id": lambda registration: registration.registration_id,
    "registration_date": lambda registration: registration.registered,
    "last_modified": lambda registration: registration.current.modified,
    "age": lambda registration: _comparable(registration.current.row.get("age")),
    "name": lambda registration: _name(registration, "last_name", "first_name"),
    "first_name": lambda registration: _name(registration, "first_name", "last_name"),
    "last_name": lambda registration: _name(registration, "last_name", "first_name"),
    "bib_num": lambda registration: _comparable(registration.current.row.get("bib_num")),
    "chip_num": lambda registration: _comparable(registration.current.row.get("chip_num")),
    "gender": lambda registration: _comparable(registration.current.row["user"].get("gender")),
}


def participants(race: Race, parameters: Parameters, *, share: float | None = None) -> bytes:
    """The active registrations of the events asked for. `share`: a fault lets only this part of each list be there."""
    events = _events(race, parameters)
    rows = _page([_select(event, parameters, active=True, share=share) for event in events], parameters)
    blocks = Blocks(
        supports_nb=parameters.flag("supports_nb"),
        questions=parameters.flag("include_questions"),
        anonymous=parameters.flag("include_user_anonymous_flag"),
        addons=parameters.flag("include_registration_addons"),
    )
    encoded = [(registration.event.event_id, encoded_row(registration, blocks)) for registration in rows]
    if parameters.flag("include_template_participant") and events[0].registrations:
        encoded.insert(0, (events[0].event_id, _template(events[0].registrations[0], blocks)))
    return _wrappers(race, events, encoded)


def removed_participants(race: Race, parameters: Parameters, *, share: float | None = None) -> bytes:
    """The registrations that left: rows inside the event, one wrapper for each event."""
    events = _events(race, parameters)
    rows = _page([_select(event, parameters, active=False, share=share) for event in events], parameters)
    condensed = parameters.flag("condensed_format")
    blocks = Blocks(supports_nb=parameters.flag("supports_nb"), questions=False, anonymous=False, addons=False)
    wrappers = []
    for event in events:
        shown = [
            condensed_row(registration, registration.current)
            if condensed
            else removed_row(registration, registration.current, blocks)
            for registration in rows
            if registration.event is event
        ]
        wrappers.append(
            {"event": {"event_id": event.event_id, "participants": shown}} if shown else _empty_removed(race, event)
        )
    return to_json(wrappers)


def participant_counts(race: Race, parameters: Parameters) -> bytes:
    return to_json(
        {
            "participant_counts": [
                {
                    "event_id": event.event_id,
                    "num_participants": sum(registration.is_active for registration in event.registrations),
                }
                for event in _events(race, parameters)
            ]
        }
    )


def _events(race: Race, parameters: Parameters) -> list[Event]:
    known = {event.event_id: event for event in race.listed_events}
    events = [known.get(event_id) for event_id in parameters.ids("event_id")]
    if None in events:
        raise ApiError(301, "Event not found.")
    return [event for event in events if event is not None]


def _select(event: Event, parameters: Parameters, *, active: bool, share: float | None) -> list[Registration]:
    """Those of one event that the filters let through, in the order of their ids."""
    registrations = event.registrations
    if share is not None:
        registrations = registrations[: int(len(registrations) * share)]
    # The template row's -1 must not turn the keyset around, so anything below 0 means from the beginning.
    after = parameters.number("after_registration_id", 0, least=-1) or 0
    begin = bisect_right(registrations, after, key=lambda registration: registration.registration_id)
    before = parameters.number("before_registration_id")
    modified = parameters.modified_after()
    registered_after = parameters.number("registered_after_timestamp")
    registered_before = parameters.number("registered_before_timestamp")
    return [
        registration
        for registration in registrations[begin:]
        if registration.is_active == active
        and (modified is None or registration.current.modified >= modified)
        and (before is None or registration.registration_id < before)
        and (registered_after is None or registration.registered >= registered_after)
        and (registered_before is None or registration.registered <= registered_before)
    ]


def _page(lists: list[list[Registration]], parameters: Parameters) -> list[Registration]:
    name, _, direction = parameters.text("sort", "registration_id ASC").strip().partition(" ")
    if name not in _SORTS or direction.strip().upper() not in ("", "ASC", "DESC"):
        raise ApiError(*INVALID)
    rows = [registration for rows in lists for registration in rows]
    rows.sort(key=lambda registration: registration.registration_id)
    if name != "registration_id" or direction.strip().upper() == "DESC":
        rows.sort(key=_SORTS[name], reverse=direction.strip().upper() == "DESC")
    page, size = parameters.page(most=MOST_ROWS_OF_A_PAGE)
    return rows[(page - 1) * size : page * size]


def _comparable(value: Any) -> tuple[float, str]:
    """Numbers before texts, nothing first: a script may have put anything there."""
    return (float(value), "") if isinstance(value, int | float) else (float("inf") if value else -1.0, str(value or ""))


def _name(registration: Registration, first: str, then: str) -> tuple[str, str]:
    user = registration.current.row["user"]
    return str(user.get(first) or ""), str(user.get(then) or "")


def _template(registration: Registration, blocks: Blocks) -> bytes:
    row = shown_row(registration.current.row, registration.registration_id, blocks)
    return to_json(row | {"registration_id": -1, "bib_num": None})


def _wrappers(race: Race, events: list[Event], rows: list[tuple[int, bytes]]) -> bytes:
    """All rows on the last wrapper for every second race, each event's own rows in its wrapper for the others."""
    if not rows:
        return b"[" + b",".join(_wrapper(event, _EMPTY[race.race_id % 3]) for event in events) + b"]"
    if race.race_id % 2:
        tails = [b""] * (len(events) - 1) + [_listed([row for _, row in rows])]
    else:
        grouped: dict[int, list[bytes]] = {}
        for event_id, row in rows:
            grouped.setdefault(event_id, []).append(row)
        tails = [
            _listed(grouped[event.event_id]) if event.event_id in grouped else _EMPTY[race.race_id % 3]
            for event in events
        ]
    return b"[" + b",".join(_wrapper(event, tail) for event, tail in zip(events, tails, strict=True)) + b"]"


# Contract §7.4: the key absent, an empty list, null. All mean "no rows".
_EMPTY = (b"", b',"participants":[]', b',"participants":null')


def _listed(rows: list[bytes]) -> bytes:
    return b',"participants":[' + b",".join(rows) + b"]"


def _wrapper(event: Event, tail: bytes) -> bytes:
    return b'{"event":{"event_id":%d,"participants":[]}%s}' % (event.event_id, tail)


def _empty_removed(race: Race, event: Event) -> dict[str, Any]:
    shapes: tuple[dict[str, Any], ...] = (
        {},
        {"event": {"event_id": event.event_id}},
        {"event": {"event_id": event.event_id, "participants": []}},
    )
    return shapes[race.race_id % 3]
