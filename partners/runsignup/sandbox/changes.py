"""Single changes of the world: what a person, a director or a timer does to one registration or one event."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from partners.runsignup.sandbox.model import ACTIVE, REASONS, REMOVED, Event, Race, Registration, Version
from partners.runsignup.sandbox.rows import active_row
from partners.runsignup.sandbox.time_texts import utc

if TYPE_CHECKING:
    from partners.runsignup.sandbox.world import World

Outcome = tuple[list[int], list[int]]


class ChangeError(ValueError):
    """The change asks for something that is not there; the text is a sentence for whoever wrote the script."""


def apply(world: World, kind: str, *, now: float, details: dict[str, Any]) -> dict[str, Any]:
    """Do one change at `now` (Unix seconds, the true clock).

    About people: register {event_id, user?, row?}; edit {user?, row?, drop?, silent?}; bib {bib_num?, chip_num?};
    withdraw {reason?}; transfer {to_event_id}; defer; restore. Each but register means the registration of
    `registration_id`, or the first fitting one of `event_id`.
    About events: start {event_id, start_time}; cancel {event_id}.
    About keys: grant and revoke {key, race_id}; key {key, secret?, hourly_limit?}.
    """
    if kind not in _KINDS:
        raise ChangeError(f"There is no change {kind!r}. Known: {', '.join(sorted(_KINDS))}.")
    try:
        registrations, successors = _KINDS[kind](world, now, **details)
    except TypeError as error:
        raise ChangeError(f"The change {kind!r} does not fit: {error}.") from error
    return {"kind": kind, "at": now, "registration_ids": registrations, "successor_ids": successors}


def register(
    world: World, now: float, *, event_id: int, user: dict[str, Any] | None = None, row: dict[str, Any] | None = None
) -> Outcome:
    """Somebody new, with a new id. `user` and `row` overlay the invented values."""
    event = _event(world, event_id)
    number = world.new_user_id()
    person: dict[str, Any] = {
        "user_id": number,
        "first_name": "Nova",
        "middle_name": None,
        "last_name": f"Newcomer {number % 100_000}",
        "email": f"runner{number}@example.test",
        "address": {
            "street": None,
            "city": event.race.city,
            "state": event.race.state,
            "zipcode": None,
            "country_code": "US",
        },
        "dob": "1990-05-17",
        "gender": "F",
        "phone": "212-555-0100",
        "profile_image_url": None,
        "is_anonymous": "F",
    }
    added = _add(world, event=event, user=person | (user or {}), age=36, now=now, overlay=row or {})
    return [added.registration_id], []


def edit(
    world: World,
    now: float,
    *,
    registration_id: int | None = None,
    event_id: int | None = None,
    user: dict[str, Any] | None = None,
    row: dict[str, Any] | None = None,
    drop: list[str] | None = None,
    silent: bool = False,
) -> Outcome:
    """Any field of an active registration, also to values that no provider should send.

    `drop` names fields that the row no longer has, those of the user as `user.email`. `silent`: the provider does not
    move its last_modified, so that nobody who asks for changes is told.
    """
    registration = _pick(world, registration_id, event_id, ACTIVE)
    dropped = set(drop or ())
    person = registration.current.row["user"] | (user or {})
    person = {name: value for name, value in person.items() if f"user.{name}" not in dropped}
    modified = registration.current.modified if silent else None
    _write(world, registration, now, changed=(row or {}) | {"user": person}, dropped=dropped, modified=modified)
    return [registration.registration_id], []


def bib(
    world: World,
    now: float,
    *,
    registration_id: int | None = None,
    event_id: int | None = None,
    bib_num: int | str | None = None,
    chip_num: str | None = None,
) -> Outcome:
    """Give out a bib: the next free one of the event unless named."""
    registration = _pick(world, registration_id, event_id, ACTIVE)
    if bib_num is None:
        registration.event.highest_bib += 1
        bib_num = registration.event.highest_bib
    changed: dict[str, Any] = {"bib_num": bib_num}
    if chip_num is not None:
        changed["chip_num"] = chip_num
    _write(world, registration, now, changed=changed)
    return [registration.registration_id], []


def withdraw(
    world: World,
    now: float,
    *,
    registration_id: int | None = None,
    event_id: int | None = None,
    reason: str = "removed",
) -> Outcome:
    if reason not in REASONS:
        raise ChangeError(f"There is no reason {reason!r}. Known: {', '.join(REASONS)}.")
    registration = _pick(world, registration_id, event_id, ACTIVE)
    _remove(world, registration, now, reason=reason)
    return [registration.registration_id], []


def defer(world: World, now: float, *, registration_id: int | None = None, event_id: int | None = None) -> Outcome:
    return withdraw(world, now, registration_id=registration_id, event_id=event_id, reason="deferred")


def transfer(
    world: World, now: float, *, to_event_id: int, registration_id: int | None = None, event_id: int | None = None
) -> Outcome:
    """Into another event of the same race: the id changes and the bib is lost (contract §3.6)."""
    registration = _pick(world, registration_id, event_id, ACTIVE)
    target = _event(world, to_event_id)
    if target.race is not registration.event.race or target is registration.event:
        raise ChangeError(f"Event {to_event_id} is not another event of race {registration.event.race.race_id}.")
    row = registration.current.row
    added = _add(
        world,
        event=target,
        user=row["user"],
        age=row.get("age"),
        now=now,
        overlay={
            name: row[name]
            for name in ("imported", "question_responses", "giveaway", "giveaway_option_id")
            if name in row
        },
    )
    _remove(world, registration, now, reason="transferred", successor=added.registration_id)
    return [registration.registration_id], [added.registration_id]


def restore(world: World, now: float, *, registration_id: int | None = None, event_id: int | None = None) -> Outcome:
    """The director takes a removal back: the same id is active again."""
    registration = _pick(world, registration_id, event_id, REMOVED)
    _write(world, registration, now, changed={})
    return [registration.registration_id], []


def start(world: World, now: float, *, event_id: int, start_time: str | None) -> Outcome:
    """Move a start; null or 00:00 are what directors leave who do not know yet."""
    if start_time is not None and not isinstance(start_time, str):
        raise ChangeError(f"A start_time is a text such as '6/6/2026 07:30', or null, not {start_time!r}.")
    event = _event(world, event_id)
    event.start_time = start_time
    _touch(world, event.race, now)
    return [], []


def cancel(world: World, now: float, *, event_id: int) -> Outcome:
    """The event is no longer listed and answers 301."""
    event = _event(world, event_id)
    event.cancelled = True
    _touch(world, event.race, now)
    return [], []


def grant(world: World, now: float, *, key: str, race_id: int) -> Outcome:
    race_ids = _key_races(world, key, race_id)
    if race_id not in race_ids:
        race_ids.append(race_id)
    return [], []


def revoke(world: World, now: float, *, key: str, race_id: int) -> Outcome:
    """The director takes the timer off the race: error 7 for this race from now on."""
    race_ids = _key_races(world, key, race_id)
    if race_id in race_ids:
        race_ids.remove(race_id)
    return [], []


def set_key(
    world: World, now: float, *, key: str, secret: str | None = None, hourly_limit: int | None = None
) -> Outcome:
    if key not in world.keys:
        raise ChangeError(f"There is no key {key!r}.")
    if hourly_limit is not None:
        if not isinstance(hourly_limit, int) or hourly_limit < 1:
            raise ChangeError(f"An hourly_limit is a whole number from 1 on, not {hourly_limit!r}.")
        world.keys[key].hourly_limit = hourly_limit
    if secret is not None:
        world.keys[key].secret = secret
    return [], []


_KINDS: dict[str, Callable[..., Outcome]] = {
    "register": register,
    "edit": edit,
    "bib": bib,
    "withdraw": withdraw,
    "defer": defer,
    "transfer": transfer,
    "restore": restore,
    "start": start,
    "cancel": cancel,
    "grant": grant,
    "revoke": revoke,
    "key": set_key,
}


def _event(world: World, event_id: int) -> Event:
    if event_id not in world.events:
        raise ChangeError(f"There is no event {event_id}.")
    return world.events[event_id]


def _key_races(world: World, key: str, race_id: int) -> list[int]:
    if key not in world.keys:
        raise ChangeError(f"There is no key {key!r}.")
    if race_id not in world.races:
        raise ChangeError(f"There is no race {race_id}.")
    return world.keys[key].race_ids


def _pick(world: World, registration_id: int | None, event_id: int | None, state: str) -> Registration:
    if registration_id is not None:
        registration = world.registrations.get(registration_id)
        if registration is None or registration.current.state != state:
            raise ChangeError(f"There is no {state} registration {registration_id}.")
        return registration
    if event_id is None:
        raise ChangeError("Name a registration_id, or an event_id to take its first fitting registration.")
    for registration in _event(world, event_id).registrations:
        # Who was transferred is active elsewhere and cannot come back.
        if registration.current.state == state and registration.current.reason != "transferred":
            return registration
    raise ChangeError(f"Event {event_id} has no {state} registration.")


def _modified(world: World, now: float) -> int:
    return int(now + world.clock_offset)


def _add(
    world: World, *, event: Event, user: dict[str, Any], age: int | None, now: float, overlay: dict[str, Any]
) -> Registration:
    registration_id = world.new_registration_id()
    modified = _modified(world, now)
    imported = overlay.get("imported") == "T"
    row = active_row(
        registration_id=registration_id,
        event_id=event.event_id,
        user=user,
        registered=now + world.clock_offset,
        modified=modified,
        fee=event.fee,
        age=age,
        imported=imported,
        transaction=None if imported else 8_800_000 + registration_id,
    )
    version = Version(at=now, modified=modified, state=ACTIVE, row=row | overlay)
    registration = Registration(
        registration_id=registration_id, event=event, registered=now + world.clock_offset, versions=[version]
    )
    world.add_registrations([registration])
    return registration


def _write(
    world: World,
    registration: Registration,
    now: float,
    *,
    changed: dict[str, Any],
    dropped: Collection[str] = (),
    modified: int | None = None,
) -> None:
    """A new active version. A `last_modified` in `changed` goes out as it is, the filter keeps the true one."""
    modified = _modified(world, now) if modified is None else modified
    row = registration.current.row | {"last_modified": modified} | changed
    row = {name: value for name, value in row.items() if name not in dropped}
    registration.add_version(Version(at=now, modified=modified, state=ACTIVE, row=row))


def _remove(world: World, registration: Registration, now: float, *, reason: str, successor: int | None = None) -> None:
    modified = _modified(world, now)
    row = registration.current.row | {"last_modified": modified}
    registration.add_version(
        Version(at=now, modified=modified, state=REMOVED, row=row, reason=reason, successor=successor)
    )


def _touch(world: World, race: Race, now: float) -> None:
    race.modified = utc(now + world.clock_offset)
