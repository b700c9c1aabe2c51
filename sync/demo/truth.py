"""Does the mirror equal the sandbox's truth? Each event is judged as of its own last complete fetch.

A row may show any state that was true between the start of that fetch and its end. Somebody who withdrew after the
last look for withdrawals may still be listed, as the last fetch before that saw him; who withdrew before it may not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from partners.runsignup.parsing import decode_participant
from races.models import Event, Participant
from races.participant_columns import CONTENT, content_of
from sync.demo.sandbox_control import SandboxControl
from sync.models import Outcome, SyncRun

GOOD = [Outcome.OK, Outcome.UNCHANGED]
REMOVED = "removed"
# Times of the provider have whole seconds.
SECOND = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`differences`: a sentence per registration that the mirror has wrong."""

    events: int
    registrations: int
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetches:
    """Unix seconds: the last complete fetch, the last look for withdrawals, and when each earlier fetch began."""

    list_begun: float
    earlier: tuple[float, ...]
    withdrawals_begun: float
    ended: float


def mirror_compare(control: SandboxControl) -> Comparison:
    """Compare every event that was ever fetched completely. Nothing may be syncing meanwhile."""
    differences: list[str] = []
    registrations = 0
    events = list(Event.objects.filter(sync__checked_at__isnull=False).select_related("sync", "race").order_by("pk"))
    for event in events:
        mirror = {row["registration_id"]: row for row in Participant.objects.filter(event=event).values(*_COLUMNS)}
        history = {one["registration_id"]: one["versions"] for one in control.history(event.provider_event_id)}
        registrations += len(history)
        fetches = _fetches(event)
        for registration_id in sorted(history.keys() | mirror.keys()):
            problem = _problem(mirror.get(registration_id), history.get(registration_id, []), fetches)
            if problem:
                differences.append(f"{event.race.name}, {event.name}: registration {registration_id} {problem}")
    return Comparison(events=len(events), registrations=registrations, differences=tuple(differences))


_COLUMNS = ("registration_id", "removed_at", *CONTENT)


def _fetches(event: Event) -> _Fetches:
    row = event.sync
    runs = list(
        SyncRun.objects.filter(event=event, outcome__in=GOOD)
        .order_by("started_at")
        .values_list("started_at", "finished_at")
    )
    ended = runs[-1][1] if runs and runs[-1][1] else row.checked_at
    return _Fetches(
        list_begun=_seconds(row.checked_at),
        earlier=tuple(_seconds(started) for started, _ended in runs),
        withdrawals_begun=_seconds(row.removals_checked_at),
        ended=_seconds(ended),
    )


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _problem(row: Mapping[str, Any] | None, versions: list[dict[str, Any]], fetches: _Fetches) -> str:
    possible = list(_possible(versions, begun=fetches.list_begun, ended=fetches.ended))
    gone = [version for version in possible if version["state"] == REMOVED]
    active = [version for version in possible if version["state"] != REMOVED]
    if row is None:
        # Who came and went between two fetches was never seen; who was active at the fetch must be there.
        return "is missing" if active and not gone and not _born_after(versions, fetches.list_begun) else ""
    if row["removed_at"] is not None:
        return "" if gone else "is marked as withdrawn but is not"
    if not active:
        if gone and _withdrew_before(versions, fetches.withdrawals_begun):
            return "withdrew but is still listed"
        active = _seen_before_leaving(versions, fetches)
    if not active:
        return "is listed but does not exist"
    return _worst_difference(row, active)


def _possible(versions: list[dict[str, Any]], *, begun: float, ended: float) -> Iterable[dict[str, Any]]:
    """The versions that were in force at some moment from `begun` to `ended`."""
    for position, version in enumerate(versions):
        until = versions[position + 1]["at"] if position + 1 < len(versions) else float("inf")
        if version["at"] <= ended + SECOND and until >= begun - SECOND:
            yield version


def _born_after(versions: list[dict[str, Any]], moment: float) -> bool:
    return bool(versions) and versions[0]["at"] >= moment - SECOND


def _withdrew_before(versions: list[dict[str, Any]], moment: float) -> bool:
    return versions[-1]["state"] == REMOVED and versions[-1]["at"] < moment - SECOND


def _seen_before_leaving(versions: list[dict[str, Any]], fetches: _Fetches) -> list[dict[str, Any]]:
    """The active versions since the last fetch before the withdrawal: a later edit may never have been seen."""
    left_at = versions[-1]["at"] if versions else 0.0
    last_seen = max((begun for begun in fetches.earlier if begun <= left_at), default=0.0)
    possible = _possible(versions, begun=last_seen, ended=left_at)
    return [version for version in possible if version["state"] != REMOVED]


def _worst_difference(row: Mapping[str, Any], active: list[dict[str, Any]]) -> str:
    """ "" when the row equals one of the versions, else the columns in which it differs from the latest."""
    differing: list[str] = []
    for version in active:
        truth = content_of(decode_participant(msgspec.json.encode(version["row"])))
        differing = [name for name in CONTENT if row[name] != truth[name]]
        if not differing:
            return ""
    return f"differs in {', '.join(differing)}"
