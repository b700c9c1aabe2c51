"""What people do while nobody looks: more of it in the events that start soon."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from partners.runsignup.sandbox import names
from partners.runsignup.sandbox.changes import ChangeError, apply
from partners.runsignup.sandbox.model import Event, Registration
from partners.runsignup.sandbox.people import new_user

if TYPE_CHECKING:
    from partners.runsignup.sandbox.world import World

HOUR = 3600.0

# How often each thing happens, of 100.
_KINDS = {"register": 34, "bib": 24, "edit": 16, "transfer": 10, "withdraw": 10, "defer": 6}


def step(world: World, *, now: float, rng: Random) -> dict[str, Any] | None:
    """One thing that happens at `now` in an event to come; None where no event is left or nobody is there to do it."""
    weights = [_weight(event, now) for event in world.events.values()]
    if not any(weights):
        return None
    event = rng.choices(list(world.events.values()), weights=weights)[0]
    kind = rng.choices(list(_KINDS), weights=list(_KINDS.values()))[0]
    details = _details(world, event, kind, rng)
    if details is None:
        kind, details = "register", _registering(event, rng, world)
    try:
        return apply(world, kind, now=now, details=details)
    except ChangeError:
        return None


def _weight(event: Event, now: float) -> float:
    """1 at the start, a tenth 9 hours before, and never quite nothing until an hour after the start."""
    start = event.starts_at
    if event.cancelled or start is None:
        return 0.0
    to_go = (start.timestamp() - now) / HOUR
    return 0.0 if to_go < -1 else max(1 / (1 + max(to_go, 0.0)), 0.002)


def _details(world: World, event: Event, kind: str, rng: Random) -> dict[str, Any] | None:
    """What the change needs; None where it cannot happen in this event."""
    if kind == "register":
        return _registering(event, rng, world)
    registration = _somebody(event, rng)
    if registration is None:
        return None
    details: dict[str, Any] = {"registration_id": registration.registration_id}
    if kind == "transfer":
        others = [other for other in event.race.listed_events if other is not event and other.days_id == event.days_id]
        return details | {"to_event_id": rng.choice(others).event_id} if others else None
    if kind == "edit":
        return details | {"user": {"last_name": rng.choice(names.LAST_NAMES)}}
    if kind == "withdraw":
        return details | {"reason": rng.choice(("removed", "removed", "cleared"))}
    return details


def _registering(event: Event, rng: Random, world: World) -> dict[str, Any]:
    user = new_user(rng=rng, race_city=event.race.city, race_state=event.race.state, user_id=world.new_user_id())
    return {"event_id": event.event_id, "user": user}


def _somebody(event: Event, rng: Random) -> Registration | None:
    """An active registration, found by a few throws: most of a list is active."""
    for _ in range(20 if event.registrations else 0):
        registration = rng.choice(event.registrations)
        if registration.is_active:
            return registration
    return None
