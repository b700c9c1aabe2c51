"""The staff page: does the machine run, what did it do, which keys have room, what fails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Count, Sum

from partners.models import ApiUsage, CallBudget, Credential
from partners.used_elsewhere import elsewhere_text
from sync.core.policy import Policy
from sync.models import Cycle, EventSync, Outcome, SyncRun
from sync.web.held import HeldRow, held_rows
from sync.web.runs import RunRow, run_row, short_error
from sync.web.scheduler import banner_text, last_beat
from sync.web.times import Moment, moment
from sync.web.words import ICONS, OUTCOMES, Kind

CYCLES = 20
FAILING_RUNS = 20
# The failing runs are looked for in the index of the latest runs; without an end a healthy system would read it all.
FAILING_WITHIN = timedelta(hours=24)
KEYS = 100
NEARLY_SPENT = 0.83
# A key's events are judged by their last runs within this time.
JUDGED_WITHIN = timedelta(hours=1)
FAILED = [Outcome.FAILED, Outcome.REFUSED, Outcome.GONE, Outcome.LOST]


@dataclass(frozen=True, slots=True, kw_only=True)
class TierCount:
    name: str
    due: int
    picked: int
    deferred: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleRow:
    """`tiers` from the most urgent on; `outcomes` (word, count) of what it picked, the zeros left out."""

    pk: int
    started: Moment
    seconds: str
    tiers: tuple[TierCount, ...]
    outcomes: tuple[tuple[str, int], ...]
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHealth:
    """Of a key's events that ran within the last hour: how many they are, and how many's last run failed. `error`: what
    the newest of these said."""

    events: int = 0
    failing: int = 0
    error: str = ""

    @property
    def text(self) -> str:
        """ "" while nothing fails."""
        if not self.failing:
            return ""
        events = "1 event" if self.events == 1 else f"{self.events:,} events"
        which = f"{self.failing:,} of {events} {'fails' if self.failing == 1 else 'fail'}"
        return f"{which}: {short_error(self.error)}" if self.error else which


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key: calls of the last hour against its limit, its lane, and how many events wait for it. `failing`: in words
    what fails; `elsewhere`: that another program seems to use it; `detail`: what was found when it was verified, or why
    it is refused."""

    name: str
    partner_slug: str
    status: str
    kind: Kind
    icon: str
    failing: str
    elsewhere: str
    detail: str
    calls: int
    limit: int
    rate: int
    percent: int
    throttled: int
    lane: str
    waiting: int
    paused_until: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingRun:
    event_pk: int
    race_pk: int
    event: str
    race: str
    run: RunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    beat: Moment | None
    is_silent: bool
    banner: str
    cycles: tuple[CycleRow, ...]
    keys: tuple[KeyRow, ...]
    keys_left: int
    failing: tuple[FailingRun, ...]
    held: tuple[HeldRow, ...]


def operations(*, now: datetime, policy: Policy) -> Operations:
    beat = last_beat(now=now, policy=policy)
    keys = _keys(now=now)
    return Operations(
        beat=moment(beat.at, zone=UTC, now=now),
        is_silent=beat.is_silent,
        banner=banner_text(beat, zone=UTC, now=now),
        cycles=tuple(cycle_row(cycle, now=now) for cycle in Cycle.objects.order_by("-started_at")[:CYCLES]),
        keys=keys[:KEYS],
        keys_left=max(0, len(keys) - KEYS),
        failing=_failing(now=now),
        held=held_rows(now=now),
    )


def cycle_row(cycle: Cycle, *, now: datetime) -> CycleRow:
    started = moment(cycle.started_at, zone=UTC, now=now)
    assert started is not None  # noqa: S101 - a cycle always has a start
    took = f"{(cycle.finished_at - cycle.started_at).total_seconds():.2f} s" if cycle.finished_at else "not finished"
    tiers = tuple(
        TierCount(
            name=name.upper(),
            due=getattr(cycle, f"{name}_due"),
            picked=getattr(cycle, f"{name}_picked"),
            deferred=getattr(cycle, f"{name}_deferred"),
        )
        for name in ("high", "medium", "low")
    )
    outcomes = tuple(
        (OUTCOMES[outcome.value][0].lower(), count) for outcome in Outcome if (count := getattr(cycle, outcome.value))
    )
    return CycleRow(pk=cycle.pk, started=started, seconds=took, tiers=tiers, outcomes=outcomes, calls=cycle.calls)


def _keys(*, now: datetime) -> tuple[KeyRow, ...]:
    """Keys that need somebody first, then those with the most calls."""
    usage = {
        row["credential_id"]: row
        for row in ApiUsage.objects.filter(minute__gt=now - timedelta(hours=1))
        .values("credential_id")
        .annotate(made=Sum("calls"), slowed=Sum("throttled"))
    }
    picked = EventSync.objects.filter(picked_at__isnull=False).values("credential_id").annotate(waiting=Count("*"))
    waiting = {row["credential_id"]: row["waiting"] for row in picked}
    budgets = CallBudget.objects.in_bulk()
    health = _health(now=now)
    credentials = Credential.objects.select_related("partner").defer("api_secret", "api_key")
    rows = [
        _key(
            credential,
            budgets.get(credential.pk),
            calls=usage[credential.pk]["made"] if credential.pk in usage else 0,
            throttled=usage[credential.pk]["slowed"] if credential.pk in usage else 0,
            waiting=waiting.get(credential.pk, 0),
            health=health.get(credential.pk, KeyHealth()),
            now=now,
        )
        for credential in credentials
    ]
    order = {Kind.BAD: 0, Kind.WARN: 1}
    return tuple(sorted(rows, key=lambda row: (order.get(row.kind, 2), -row.calls, row.name)))


def _key(
    credential: Credential,
    budget: CallBudget | None,
    *,
    calls: int,
    throttled: int,
    waiting: int,
    health: KeyHealth,
    now: datetime,
) -> KeyRow:
    limit = credential.hourly_limit
    paused = budget.paused_until if budget and budget.paused_until and budget.paused_until > now else None
    elsewhere = elsewhere_text(budget, limit=limit, now=now)
    slowed = paused is not None or bool(elsewhere)
    kind = _key_kind(credential, slowed=slowed, share=calls / limit, health=health)
    return KeyRow(
        name=str(credential),
        partner_slug=credential.partner.slug,
        status=_status_word(credential, paused=paused is not None, elsewhere=bool(elsewhere), health=health),
        kind=kind,
        icon=ICONS[kind],
        failing=health.text,
        elsewhere=elsewhere,
        detail=credential.status_detail,
        calls=calls,
        limit=limit,
        rate=(budget.rate_per_hour if budget else None) or limit,
        percent=round(100 * calls / limit),
        throttled=throttled,
        lane=_lane(budget, now=now),
        waiting=waiting,
        paused_until=moment(paused, zone=UTC, now=now),
    )


def _health(*, now: datetime) -> dict[int, KeyHealth]:
    """By credential. Only what ran of late is read: the index of the latest runs bounds it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT sync.credential_id, count(*), count(*) FILTER (WHERE latest.outcome = ANY(%s)),
                (array_agg(latest.error_text ORDER BY latest.started_at DESC)
                    FILTER (WHERE latest.outcome = ANY(%s)))[1]
            FROM (
                SELECT DISTINCT ON (event_id) event_id, outcome, error_text, started_at FROM sync_syncrun
                WHERE started_at > %s AND outcome <> '' ORDER BY event_id, started_at DESC
            ) AS latest
            JOIN sync_eventsync sync ON sync.event_id = latest.event_id
            GROUP BY sync.credential_id
            """,
            [[str(outcome) for outcome in FAILED]] * 2 + [now - JUDGED_WITHIN],
        )
        rows = cursor.fetchall()
    return {pk: KeyHealth(events=events, failing=failing, error=error or "") for pk, events, failing, error in rows}


def _status_word(credential: Credential, *, paused: bool, elsewhere: bool, health: KeyHealth) -> str:
    if not credential.partner.is_active:
        return "partner off"
    if credential.status != Credential.Status.OK:
        return credential.status
    if paused:
        return "throttled"
    if health.failing:
        return "failing"
    return "used elsewhere" if elsewhere else "ok"


def _key_kind(credential: Credential, *, slowed: bool, share: float, health: KeyHealth) -> Kind:
    if credential.status == Credential.Status.REFUSED:
        return Kind.BAD
    if credential.status == Credential.Status.PAUSED or not credential.partner.is_active:
        return Kind.IDLE
    if health.failing and health.failing == health.events:
        return Kind.BAD
    if health.failing or slowed or share > NEARLY_SPENT or credential.status == Credential.Status.UNVERIFIED:
        return Kind.WARN
    return Kind.GOOD


def _lane(budget: CallBudget | None, *, now: datetime) -> str:
    if budget is None or budget.lane_lease_until is None:
        return "idle"
    return "working" if budget.lane_lease_until > now else "stopped without a word"


def _failing(*, now: datetime) -> tuple[FailingRun, ...]:
    runs = (
        SyncRun.objects.filter(started_at__gt=now - FAILING_WITHIN, outcome__in=FAILED)
        .select_related("event__race")
        .defer("event__raw", "event__race__raw")
        .order_by("-started_at")[:FAILING_RUNS]
    )
    return tuple(
        FailingRun(
            event_pk=run.event_id,
            race_pk=run.event.race_id,
            event=run.event.name,
            race=run.event.race.name,
            run=run_row(run, zone=UTC, now=now),
        )
        for run in runs
    )
