"""What runs at this moment: each key's lane with the race that it is at, and the loads of history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Count, F, Q, Sum

from partners.models import Credential
from sync.models import Backfill, BackfillStep, SyncRun, Trigger
from sync.services.leases import LEASE, lease_holds
from sync.web.times import Moment, moment
from sync.web.words import ICONS, TRIGGERS, Kind

RUNS = 500
LANES = 50
BACKFILLS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRow:
    """A visit that runs now; `race` "" is a lane between two races. `what`: what asked for it."""

    key: str
    partner_slug: str
    race_pk: int | None
    race: str
    events: int
    what: str
    since: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRow:
    """`scope`: "Race X", "Partner Y" or "Everything"; `state`: whether a process works on it."""

    scope: str
    partner_slug: str
    state: str
    kind: Kind
    icon: str
    done: int
    races: int
    failed: int
    percent: int
    people: int
    calls: int
    started: Moment | None


def lane_rows(working: Iterable[Credential], *, now: datetime) -> tuple[tuple[LaneRow, ...], int]:
    """The lanes of `working` keys (with partner) and everything else that visits a race now; and how many more there
    are than LANES. One query."""
    runs = (
        SyncRun.objects.filter(lease_until__gt=now, lease_until__lte=now + 2 * LEASE)
        .select_related("event__race__credential__partner")
        .defer("event__raw", "event__race__raw", "event__race__credential__api_secret")
        .order_by("started_at", "pk")[:RUNS]
    )
    visits: dict[object, list[SyncRun]] = {}
    for run in runs:
        visits.setdefault(run.visit, []).append(run)
    rows = [_visit(found, now=now) for found in visits.values()]
    busy = {found[0].event.race.credential_id for found in visits.values() if found[0].trigger != Trigger.BACKFILL}
    rows += [_between(key) for key in working if key.pk not in busy]
    return tuple(rows[:LANES]), max(0, len(rows) - LANES)


def _visit(runs: list[SyncRun], *, now: datetime) -> LaneRow:
    race = runs[0].event.race
    what = TRIGGERS.get(runs[0].trigger, runs[0].trigger)
    return LaneRow(
        key=str(race.credential),
        partner_slug=race.credential.partner.slug,
        race_pk=race.pk,
        race=race.name,
        events=len(runs),
        what=f"{what}, full comparison" if any(run.full for run in runs) else what,
        since=moment(runs[0].started_at, zone=UTC, now=now),
    )


def _between(key: Credential) -> LaneRow:
    return LaneRow(key=str(key), partner_slug=key.partner.slug, race_pk=None, race="", events=0, what="", since=None)


def backfill_rows(*, now: datetime) -> tuple[BackfillRow, ...]:
    """Those that are not done, the newest first."""
    steps = BackfillStep.Status
    rows = (
        Backfill.objects.exclude(status=Backfill.Status.DONE)
        .select_related("partner", "race__partner")
        .defer("race__raw")
        .annotate(
            done=Count("steps", filter=Q(steps__status=steps.DONE)),
            failed=Count("steps", filter=Q(steps__status=steps.FAILED)),
            races=Count("steps"),
            people=Sum("steps__rows"),
        )
        .order_by(F("started_at").desc(), "-pk")[:BACKFILLS]
    )
    return tuple(_backfill(row, now=now) for row in rows)


_STATES: Mapping[str, tuple[str, Kind]] = {
    "working": ("working", Kind.BUSY),
    "stopped": ("its process ended: run manage.py backfill again, it goes on where it stopped", Kind.WARN),
    "interrupted": ("interrupted: run manage.py backfill again, it goes on where it stopped", Kind.WARN),
}


def _backfill(row, *, now: datetime) -> BackfillRow:
    if row.status == Backfill.Status.INTERRUPTED:
        state, kind = _STATES["interrupted"]
    else:
        state, kind = _STATES["working" if lease_holds(row.lease_until, now=now) else "stopped"]
    if row.race is not None:
        scope, partner = f"Race {row.race.name}", row.race.partner
    elif row.partner is not None:
        scope, partner = f"Partner {row.partner.name}", row.partner
    else:
        scope, partner = "Everything", None
    if row.since is not None:
        scope = f"{scope}, since {row.since:%Y-%m-%d}"
    return BackfillRow(
        scope=scope,
        partner_slug=partner.slug if partner else "",
        state=state,
        kind=kind,
        icon=ICONS[kind],
        done=row.done,
        races=row.races,
        failed=row.failed,
        percent=round(100 * row.done / row.races) if row.races else 0,
        people=row.people or 0,
        calls=row.calls,
        started=moment(row.started_at, zone=UTC, now=now, seconds=False),
    )
