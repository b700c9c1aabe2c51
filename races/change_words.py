"""A change of one participant as people read it: "Moved 5K → 10K, bib 1207 not carried over". Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol

# Why somebody is not in the list any more. A transfer names its event where that is known.
REMOVED_REASONS: dict[str, str] = {
    "removed": "removed by the race",
    "transferred": "moved to another event",
    "deferred": "deferred to a later edition",
    "cleared": "registration voided",
    "missing": "no longer listed",
}

# In the order in which they are said: what a timing crew looks for comes first.
LABELS: dict[str, str] = {
    "bib": "bib",
    "chip": "chip",
    "first_name": "first name",
    "middle_name": "middle name",
    "last_name": "last name",
    "gender": "gender",
    "age": "age",
    "team_name": "team",
    "city": "city",
    "state": "state",
    "country_code": "country",
    "amount_paid": "amount paid",
    "dob": "date of birth",
    "email": "email",
    "phone": "phone",
    "street": "street",
    "zipcode": "zip code",
    "answers": "answers",
    "registered_at": "registration time",
    "user_id": "account",
    "team_id": "team id",
}
# Said to have changed, without their values: a history is read by more people than need them.
CONTACT = frozenset({"dob", "email", "phone", "street", "zipcode", "answers", "user_id", "team_id", "registered_at"})
# [false, true] and [true, false] in words.
FLAGS: dict[str, tuple[str, str]] = {
    "imported": ("marked as imported", "no longer marked as imported"),
    "is_anonymous": ("wants to be anonymous", "no longer anonymous"),
}
# Said by the sentence around them, not as fields.
_ABOUT_LEAVING = frozenset({"removed_reason", "removed_at", "successor_registration_id", "event"})


class Change(Protocol):
    """What a ParticipantChange has, and what a test can make without a database."""

    kind: str
    changes: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One person's way from one registration to the next. The bibs: "" for none; None for not known."""

    from_event: str
    to_event: str
    old_bib: str | None
    new_bib: str | None


def change_text(change: Change, *, zone: tzinfo = UTC, move: Move | None = None) -> str:
    """One sentence without its full stop, for a ParticipantChange; `zone` is the race's.

    `move`: how this registration and another one are the same person, where the caller knows it. Of a transfer: to the
    successor (wanted only when the change itself does not name the event: the mirror had no successor yet). Of an added
    one: from the registration whose successor it is; then it reads as an arrival, not as a stranger.
    """
    match change.kind:
        case "added":
            return f"Moved here: {move_text(move)}" if move else "Registered"
        case "changed":
            return _first_capital(fields_text(change.changes)) or "Changed"
        case "restored":
            return _restored(change)
        case "transferred":
            return _transferred(change, move or _noted_move(change.changes))
    return _left(change, zone=zone)


def move_text(move: Move) -> str:
    """ "5K → 10K, bib 1207 not carried over"."""
    where = f"{move.from_event} → {move.to_event}"
    if move.from_event == move.to_event:
        where = f"{move.to_event}, under a new registration"
    return ", ".join(part for part in (where, _bib_text(move)) if part)


def _bib_text(move: Move) -> str:
    old, new = move.old_bib, move.new_bib
    if old is None or new is None or not (old or new):
        return ""
    if old == new:
        return f"bib {old} kept"
    if not new:
        return f"bib {old} not carried over"
    return f"bib {old} → {new}" if old else f"bib {new}"


def _noted_move(changes: Mapping[str, Any]) -> Move | None:
    if "event" not in changes:
        return None
    came_from, went_to = changes["event"]
    # Without a word about the bib there was none on either side.
    old, new = changes.get("bib", ["", ""])
    return Move(from_event=came_from, to_event=went_to, old_bib=old, new_bib=new)


def _transferred(change: Change, move: Move | None) -> str:
    if move is not None:
        return f"Moved: {move_text(move)}"
    _old, successor = change.changes.get("successor_registration_id", [None, None])
    to = f" as registration {successor}" if successor else ""
    return f"Moved to another event{to}"


def _left(change: Change, *, zone: tzinfo) -> str:
    old, reason = change.changes.get("removed_reason", ["", ""])
    why = REMOVED_REASONS.get(reason, reason) or "the reason is not known"
    if old:
        return f"Left, now with the reason: {why}"
    # Who was only missing left at a time that nobody knows.
    when = "" if reason == "missing" else _time_text(change, zone=zone)
    return f"Left{when}: {why}"


def _time_text(change: Change, *, zone: tzinfo) -> str:
    """ " at 06:12 EDT": the provider's own time of the removal, which may be long before the mirror learnt it."""
    _old, text = change.changes.get("removed_at", [None, None])
    if not text:
        return ""
    left, noted = datetime.fromisoformat(text).astimezone(zone), change.at.astimezone(zone)
    day = "" if left.date() == noted.date() else f"{left:%a %b} {left.day}, "
    name = left.strftime("%Z")
    return f" {'on ' if day else 'at '}{day}{left:%H:%M} {f'UTC{name}' if name[:1] in '+-' else name}"


def _restored(change: Change) -> str:
    old, _new = change.changes.get("removed_reason", ["", ""])
    before = REMOVED_REASONS.get(old, old)
    rest = fields_text(change.changes)
    return f"Back on the list{f' (was: {before})' if before else ''}{f'; {rest}' if rest else ''}"


def fields_text(changes: Mapping[str, Any]) -> str:
    """ "bib 1207 → 1300; last name Marsh → March; phone changed", "" when no field of the person differs."""
    order = {name: place for place, name in enumerate([*LABELS, *FLAGS])}
    names = sorted((name for name in changes if name not in _ABOUT_LEAVING), key=lambda name: order.get(name, 999))
    return "; ".join(_field_text(name, *changes[name]) for name in names)


def _field_text(name: str, old: Any, new: Any) -> str:
    if name in FLAGS:
        return FLAGS[name][0 if new else 1]
    label = LABELS.get(name, name.replace("_", " "))
    # Two equal values: they were blanked when their time had come.
    if name in CONTACT or old == new:
        return f"{label} changed"
    if old in ("", None):
        return f"{label} {new}"
    return f"{label} {old} taken away" if new in ("", None) else f"{label} {old} → {new}"


def _first_capital(text: str) -> str:
    return text[:1].upper() + text[1:]
