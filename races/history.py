"""Who had which bib when, and who a participant was at a time: from the present rows and the changes since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from races.models import Participant, ParticipantChange

Kind = ParticipantChange.Kind
_LEFT = {Kind.REMOVED, Kind.TRANSFERRED}
_NAMES = ("first_name", "middle_name", "last_name")
# Nobody reads more holders of one number; a search for a common word must not load the whole list.
MOST_HOLDERS = 50

# "Who had bib 1207 in these events." The second half is what the index change_of_bib is for: at 50 M participants it
# probes, per person of the event, an index of only those changes in which a bib differs. What people who left took with
# them is in their row: of a departure "bib" says what the next registration got.
_EVER_HAD = """
    SELECT id FROM races_participant WHERE event_id = ANY(%s) AND upper(bib) = upper(%s)
    UNION
    SELECT person.id
    FROM races_participant AS person JOIN races_participantchange AS change ON change.participant_id = person.id
    WHERE person.event_id = ANY(%s) AND change.changes ? 'bib' AND change.kind IN ('changed', 'restored')
        AND upper(%s) IN (upper(change.changes -> 'bib' ->> 0), upper(change.changes -> 'bib' ->> 1))
    LIMIT %s
"""


class Person(Protocol):
    """What of a Participant is looked at, and what a test can make without a database."""

    first_name: str
    middle_name: str
    last_name: str
    bib: str
    removed_at: datetime | None


class Change(Protocol):
    kind: str
    changes: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Who a participant was from `since` (None: before anything is known) until `until` (None: still).

    `ended`: what the next state differs in, in words; "" for the present one.
    """

    name: str
    bib: str
    registered: bool
    since: datetime | None
    until: datetime | None
    ended: str

    def holds_at(self, at: datetime) -> bool:
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Somebody had a bib, as `state` says."""

    participant_id: int
    registration_id: int
    event_id: int
    event_name: str
    provider_event_id: int
    state: State


def full_name(person: Person) -> str:
    return _joined([getattr(person, name) for name in _NAMES])


def _joined(names: Iterable[str]) -> str:
    return " ".join(name for name in names if name)


def states_of(person: Person, changes: Sequence[Change]) -> tuple[State, ...]:
    """`changes` are all of this person, in their order. From the present backwards: each change is taken back."""
    current: dict[str, Any] = {name: getattr(person, name) for name in (*_NAMES, "bib")}
    current["registered"] = person.removed_at is None
    found: list[State] = []
    until, ended = None, ""
    for change in reversed(changes):
        before = _taken_back(current, change)
        if before == current:
            continue
        since = _moment(change)
        found.append(_state(current, since=since, until=until, ended=ended))
        if before is None:
            return tuple(reversed(found))
        until, ended = since, _ended(before, current, change)
        current = before
    found.append(_state(current, since=None, until=until, ended=ended))
    return tuple(reversed(found))


def _taken_back(current: dict[str, Any], change: Change) -> dict[str, Any] | None:
    """How it was before this change; None before the registration was there."""
    if change.kind == Kind.ADDED:
        return None
    if change.kind in _LEFT:
        # A departure of somebody who had left already only corrects the reason.
        old_reason = change.changes.get("removed_reason", ["", ""])[0]
        return current if old_reason else {**current, "registered": True}
    before = {name: change.changes[name][0] if name in change.changes else value for name, value in current.items()}
    return {**before, "registered": change.kind != Kind.RESTORED}


def _moment(change: Change) -> datetime:
    """When it was so: of a departure the provider's own time, where it is noted and not later than the note."""
    text = change.changes.get("removed_at", [None, None])[1] if change.kind in _LEFT else None
    return min(datetime.fromisoformat(text).astimezone(UTC), change.at) if text else change.at


def _state(fields: dict[str, Any], *, since: datetime | None, until: datetime | None, ended: str) -> State:
    if since is not None and until is not None:
        since = min(since, until)
    return State(
        name=_joined(fields[name] for name in _NAMES),
        bib=fields["bib"] or "",
        registered=fields["registered"],
        since=since,
        until=until,
        ended=ended,
    )


def _ended(before: dict[str, Any], after: dict[str, Any], change: Change) -> str:
    if before["registered"] and not after["registered"]:
        if change.kind == Kind.TRANSFERRED:
            where = change.changes.get("event", ["", ""])[1]
            return f"moved to {where}" if where else "moved to another event"
        return "withdrew"
    if after["registered"] and not before["registered"]:
        return "registered again"
    if before["bib"] != after["bib"]:
        return f"bib changed to {after['bib']}" if after["bib"] else "bib taken away"
    return "name changed"


def bib_holdings(*, events: Iterable[int], bib: str) -> tuple[Holding, ...]:
    """Everybody who had this bib in these events, the first one first. Capitals and small letters are the same."""
    bib = bib.replace("\x00", "").strip()
    if not bib:
        return ()
    those = list(events)
    ever_had = RawSQL(_EVER_HAD, [those, bib, those, bib, MOST_HOLDERS])  # noqa: S611
    holdings = [
        Holding(
            participant_id=person.pk,
            registration_id=person.registration_id,
            event_id=person.event_id,
            event_name=person.event.name,
            provider_event_id=person.event.provider_event_id,
            state=state,
        )
        for person, states in _people_states(Participant.objects.filter(pk__in=ever_had))
        for state in states
        if state.registered and state.bib.casefold() == bib.casefold()
    ]
    long_ago = datetime.min.replace(tzinfo=UTC)
    return tuple(sorted(holdings, key=lambda holding: (holding.state.since or long_ago, holding.participant_id)))


def _people_states(people: QuerySet[Participant]) -> list[tuple[Participant, tuple[State, ...]]]:
    found = list(people.select_related("event").defer("raw", "answers", "event__raw").order_by("pk"))
    changes: dict[int, list[ParticipantChange]] = {person.pk: [] for person in found}
    for change in ParticipantChange.objects.filter(participant_id__in=list(changes)).order_by("at", "pk"):
        changes[change.participant_id].append(change)
    return [(person, states_of(person, changes[person.pk])) for person in found]
