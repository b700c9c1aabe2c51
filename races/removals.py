"""Who left: removals that the provider names, and those that a complete list no longer has. Nobody is deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F

from partners.documents import RemovedRow
from races.departures import Departure, departures_write, facts, missing_write
from races.held_removals import hold, in_force, still_kept, whole_again
from races.models import Event, Participant, Race
from races.race_lock import race_lock
from races.storable import BIGINT, text_problem
from races.version_order import CLOCK_SLACK, MISSING, believable, is_older

# What stands for a reason that the provider did not give, or that we cannot keep.
REMOVED = "removed"
LONGEST_REASON = 20

# The provider's clock and ours may differ by this much.
CLOCKS_DIFFER_BY = timedelta(minutes=1)

# A list that shrinks by more than both at once is not believed: a person decides.
MOST_MISSING = 20
MOST_MISSING_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedCounts:
    """`removed`: participants that were active until now."""

    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingCounts:
    """`held`: how many are missing although nobody was removed, because they are too many at once. `kept`: how many a
    person decided to keep, who are still missing."""

    removed: int
    held: int
    kept: int = 0


def apply_removed(
    *, race: Race, rows: Sequence[RemovedRow], now: datetime, runs: Mapping[int, int]
) -> dict[int, RemovedCounts]:
    """Take over the provider's removals in the caller's transaction; how many left now, by Event.pk.

    A registration that the mirror never had is ignored: it came and went between two looks. One that changed after its
    removal stays. Who is removed already only gets what became known since: a reason, a successor, a later time.
    """
    latest = _latest(rows, now=now)
    if not latest:
        return {}
    race_lock(race.pk)
    # Who moved under the same registration id left that event for good; the removal is the other participant's.
    found = Participant.objects.filter(event__race=race, registration_id__in=list(latest)).exclude(
        successor_registration_id=F("registration_id")
    )
    news = [
        (participant, latest[participant.registration_id])
        for participant in found.defer("raw", "answers").select_related("event").order_by("pk")
        if _is_news(participant, latest[participant.registration_id], now=now)
    ]
    arrived = _arrived(race, [_successor(row) for _participant, row in news])
    departures_write(
        [_departure(participant, row, arrived=arrived, now=now) for participant, row in news], now=now, runs=runs
    )
    left = Counter(participant.event_id for participant, _row in news if participant.removed_at is None)
    return {event: RemovedCounts(removed=count) for event, count in left.items()}


def _latest(rows: Sequence[RemovedRow], *, now: datetime) -> dict[int, RemovedRow]:
    latest: dict[int, RemovedRow] = {}
    for row in rows:
        known = latest.get(row.registration_id)
        older = known is not None and is_older(row.removed_at, stored=known.removed_at, now=now)
        if not older and row.registration_id in BIGINT:
            latest[row.registration_id] = row
    return latest


def _reason(row: RemovedRow) -> str:
    unusable = row.reason in {"", MISSING} or text_problem(row.reason, longest=LONGEST_REASON)
    return REMOVED if unusable else row.reason


def _successor(row: RemovedRow) -> int | None:
    number = row.successor_registration_id
    return number if number is not None and number in BIGINT else None


def _is_news(participant: Participant, row: RemovedRow, *, now: datetime) -> bool:
    removed_at = believable(row.removed_at, now=now)
    if participant.removed_at is None:
        return not is_older(removed_at, stored=participant.modified_at, now=now)
    if participant.removed_reason == MISSING:
        return True
    if is_older(removed_at, stored=participant.removed_at, now=now):
        return participant.successor_registration_id is None and _successor(row) is not None
    said = (_reason(row), _successor(row), removed_at or participant.removed_at)
    return said != (participant.removed_reason, participant.successor_registration_id, participant.removed_at)


def _arrived(race: Race, successors: Iterable[int | None]) -> dict[int, tuple[str, str]]:
    """The event's name and the bib of each successor that the mirror has."""
    rows = Participant.objects.filter(event__race=race, registration_id__in={number for number in successors if number})
    return {
        registration: (event, bib)
        for registration, event, bib in rows.order_by("pk").values_list("registration_id", "event__name", "bib")
    }


def _departure(
    participant: Participant, row: RemovedRow, *, arrived: Mapping[int, tuple[str, str]], now: datetime
) -> Departure:
    reason, successor = _reason(row), _successor(row)
    # The time of a removal that nobody gave was only when we noticed it.
    known = None if participant.removed_reason == MISSING else participant.removed_at
    said = believable(row.removed_at, now=now) or known or now
    removed_at = max(said, known or said)
    return Departure(
        participant_id=participant.pk,
        event_id=participant.event_id,
        removed_at=removed_at,
        reason=reason,
        successor=successor,
        changes=facts(
            participant,
            reason=reason,
            successor=successor,
            removed_at=believable(row.removed_at, now=now),
            arrived=arrived.get(successor) if successor is not None else None,
        ),
    )


def mark_missing(
    *, event: Event, seen: set[int], present_before: set[int], begun: datetime, now: datetime, run: int
) -> MissingCounts:
    """After a complete fetch without an error: who was active before it and was not listed has left.

    `present_before` are the registration ids that were active before the fetch began, `seen` those that it listed. Who
    registered in between is in neither, and who changed at the provider since it had `begun` is not missing: away while
    a page was read, back when another was. More than 20 people and more than 20 % at once: nobody is removed, all are
    held until a person decides. Whom somebody decided to keep stays while the list lacks them, and does not count.
    """
    absent = present_before - seen
    if not absent and not in_force(event.pk).exists():
        return MissingCounts(removed=0, held=0)
    race_lock(event.race_id)
    kept = still_kept(event_id=event.pk, absent=absent)
    # Some of them may have left by name meanwhile: those are explained, they do not count.
    missing = list(
        Participant.objects.filter(event=event, registration_id__in=absent - kept, removed_at=None)
        # A change time from the far future is a lie; it must not keep its row listed for ever.
        .exclude(modified_at__gte=begun - CLOCKS_DIFFER_BY, modified_at__lte=now + CLOCK_SLACK)
        .defer("raw", "answers")
        .order_by("pk")
    )
    listed_before = len(present_before - kept)
    if len(missing) > MOST_MISSING and len(missing) > MOST_MISSING_SHARE * listed_before:
        ids = [participant.registration_id for participant in missing]
        hold(event=event, missing=ids, listed_before=listed_before, now=now, run=run)
        return MissingCounts(removed=0, held=len(missing), kept=len(kept))
    whole_again(event_id=event.pk, now=now)
    missing_write(missing, event_id=event.pk, now=now, run=run)
    return MissingCounts(removed=len(missing), held=0, kept=len(kept))
