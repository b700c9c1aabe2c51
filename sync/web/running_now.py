"""What runs at this moment: each key's lane with the race that it is at, and the loads of history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.postgres.aggregates import BoolOr
from django.db.models import Count, F, Max, Min, Q, Sum

from partners.models import Credential
from sync.models import Backfill, BackfillStep, SyncRun, Trigger
from sync.services.leases import LEASE
from sync.web.partner_backfills import command_of, state_of
from sync.web.times import Moment, moment
from sync.web.words import ICONS, TRIGGERS, Kind

VISITS = 500
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
    """`scope`: "Race X", "Partner Y" or "Everything"; `note`: what to know; `command`: what goes on with
    one that stopped, "" while it runs."""

    scope: str
    partner_slug: str
    word: str
    note: str
    command: str
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
    visits = list(
        SyncRun.objects.filter(lease_until__gt=now, lease_until__lte=now + 2 * LEASE)
        .order_by()
        .values("visit", "trigger", "event__race_id")
        .annotate(
            race=F("event__race__name"),
            key_pk=F("event__race__credential_id"),
            label=F("event__race__credential__label"),
            partner=F("event__race__credential__partner__name"),
            partner_slug=F("event__race__credential__partner__slug"),
            events=Count("pk"),
            began=Min("started_at"),
            is_full=BoolOr("full"),
        )
        .order_by("began", "visit")[:VISITS]
    )
    rows = [_visit(found, now=now) for found in visits]
    busy = {found["key_pk"] for found in visits if found["trigger"] != Trigger.BACKFILL}
    rows += [_between(key) for key in working if key.pk not in busy]
    return tuple(rows[:LANES]), max(0, len(rows) - LANES)


def _visit(found: Mapping[str, Any], *, now: datetime) -> LaneRow:
    what = TRIGGERS.get(found["trigger"], found["trigger"])
    return LaneRow(
        key=f"{found['partner']} · {found['label']}",
        partner_slug=found["partner_slug"],
        race_pk=found["event__race_id"],
        race=found["race"],
        events=found["events"],
        what=f"{what}, full comparison" if found["is_full"] else what,
        since=moment(found["began"], zone=UTC, now=now),
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
            races_failed=Count("steps", filter=Q(steps__status=steps.FAILED)),
            races=Count("steps"),
            people=Sum("steps__rows"),
            last_begun=Max("steps__started_at"),
        )
        .order_by(F("started_at").desc(), "-pk")[:BACKFILLS]
    )
    return tuple(_backfill(row, now=now) for row in rows)


def _backfill(row, *, now: datetime) -> BackfillRow:
    word, kind, note = state_of(row, now=now)
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
        word=word,
        note=note,
        command="" if word in {"Running", "Waiting"} else command_of(row),
        kind=kind,
        icon=ICONS[kind],
        done=row.done,
        races=row.races,
        failed=row.races_failed,
        percent=round(100 * row.done / row.races) if row.races else 0,
        people=row.people or 0,
        calls=row.calls,
        started=moment(row.started_at, zone=UTC, now=now, seconds=False),
    )
