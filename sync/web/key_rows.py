"""The keys for staff: what each used, what it has left and for whom, what it will be asked for, and what fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from partners.budget import Purpose, reserve
from partners.gate import BudgetState, loaded_budget_states
from partners.models import ApiUsage, CallBudget, Credential
from partners.used_elsewhere import elsewhere_text
from sync.core.forecast import Colour
from sync.core.policy import Policy
from sync.models import EventSync, Outcome
from sync.services.cycles import blocked_reason
from sync.services.forecast import KeyOutlook, outlooks_of
from sync.services.leases import lease_holds
from sync.web.partner_ahead import KIND_OF_COLOUR, WORDS
from sync.web.runs import short_error
from sync.web.times import Moment, local_text, moment
from sync.web.words import ICONS, Kind

KEYS = 100
NEARLY_SPENT = 0.83
# A key's events are judged by their last runs within this time.
JUDGED_WITHIN = timedelta(hours=1)
FORECAST_DAYS = 1
LESS_URGENT: tuple[Purpose, ...] = ("MEDIUM", "LOW", "background")
FAILED = [Outcome.FAILED, Outcome.REFUSED, Outcome.GONE, Outcome.LOST]


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
class KeyForecastView:
    """The next 24 hours in a word; `detail`: what will be late and when, "" when nothing will."""

    word: str
    kind: Kind
    icon: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key: `used` calls of the last hour of its limit; its lane, and how many events that has to do. `failing`: in
    words what fails; `elsewhere`: that another program seems to use it; `detail`: what its verification found, or why
    it is refused; `slowed`: that RunSignUp slowed it down. `free`: calls that it could make at once; `kept`: how many
    of these MEDIUM, LOW and the background leave to the more urgent, "3 / 7 / 11"."""

    name: str
    partner_slug: str
    status: str
    kind: Kind
    icon: str
    failing: str
    elsewhere: str
    detail: str
    slowed: str
    used: str
    percent: int
    free: int
    kept: str
    lane: str
    paused_until: Moment | None
    forecast: KeyForecastView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Those that need somebody first, then those with the most calls; `left` are not shown."""

    rows: tuple[KeyRow, ...]
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    key: Credential
    calls: int
    throttled: int
    waiting: int
    health: KeyHealth
    kind: Kind
    elsewhere: str


def keys_now(*, now: datetime, policy: Policy) -> Keys:
    """Three queries."""
    health = _health(now=now)
    judged = [_judged(key, health.get(key.pk, KeyHealth()), now=now) for key in _credentials(now=now)]
    order = {Kind.BAD: 0, Kind.WARN: 1}
    judged.sort(key=lambda each: (order.get(each.kind, 2), -each.calls, str(each.key)))
    shown = judged[:KEYS]
    keys = [each.key for each in shown]
    budgets = loaded_budget_states(keys, now=now)
    # Only of what is shown: a forecast is the dearest part of this page.
    outlooks = outlooks_of(keys, now=now, days=FORECAST_DAYS, policy=policy)
    rows = tuple(
        _row(each, budget=budgets[each.key.pk], outlook=outlooks[each.key.pk], now=now, policy=policy) for each in shown
    )
    return Keys(rows=rows, left=len(judged) - len(shown))


def _credentials(*, now: datetime) -> QuerySet[Credential]:
    """With `calls` and `throttled` of the last hour and the events `waiting` for the key's lane: each read from the
    index range of the one key, because the usage of all keys is years of minutes."""
    hour = ApiUsage.objects.filter(credential=OuterRef("pk"), minute__gt=now - timedelta(hours=1))
    picked = EventSync.objects.filter(credential=OuterRef("pk"), picked_at__isnull=False)
    return (
        Credential.objects.select_related("partner", "budget")
        .defer("api_secret", "api_key")
        .annotate(
            calls=_of_key(hour, Sum("calls")),
            throttled=_of_key(hour, Sum("throttled")),
            waiting=_of_key(picked, Count("*")),
        )
    )


def _of_key(rows: QuerySet, number: Sum | Count) -> Coalesce:
    one = rows.order_by().values("credential").annotate(number=number).values("number")
    return Coalesce(Subquery(one, output_field=IntegerField()), 0)


def _judged(key, health: KeyHealth, *, now: datetime) -> _Judged:
    budget = getattr(key, "budget", None)
    elsewhere = elsewhere_text(budget, limit=key.hourly_limit, now=now)
    slowed = _paused_until(budget, now=now) is not None or bool(elsewhere)
    return _Judged(
        key=key,
        calls=key.calls,
        throttled=key.throttled,
        waiting=key.waiting,
        health=health,
        kind=_key_kind(key, slowed=slowed, share=key.calls / key.hourly_limit, health=health),
        elsewhere=elsewhere,
    )


def _row(each: _Judged, *, budget: BudgetState, outlook: KeyOutlook, now: datetime, policy: Policy) -> KeyRow:
    key = each.key
    row = getattr(key, "budget", None)
    paused = _paused_until(row, now=now)
    return KeyRow(
        name=str(key),
        partner_slug=key.partner.slug,
        status=_status_word(each, paused=paused is not None),
        kind=each.kind,
        icon=ICONS[each.kind],
        failing=each.health.text,
        elsewhere=each.elsewhere,
        detail=key.status_detail,
        slowed=_slowed_text(each.throttled, rate=budget.rate, limit=key.hourly_limit),
        used=f"{each.calls:,} of {key.hourly_limit:,}",
        percent=round(100 * each.calls / key.hourly_limit),
        free=budget.free,
        kept=" / ".join(str(reserve(purpose, rate=budget.rate, reserves=policy.reserves)) for purpose in LESS_URGENT),
        lane=f"{_lane(row, now=now)}, {each.waiting:,} to do" if each.waiting else _lane(row, now=now),
        paused_until=moment(paused, zone=UTC, now=now),
        forecast=None if blocked_reason(key) else _forecast(outlook, now=now),
    )


def _paused_until(budget: CallBudget | None, *, now: datetime) -> datetime | None:
    return budget.paused_until if budget and budget.paused_until and budget.paused_until > now else None


def _slowed_text(throttled: int, *, rate: int, limit: int) -> str:
    """ "" while RunSignUp slows nothing down."""
    parts = []
    if throttled:
        parts.append(f"throttled {'once' if throttled == 1 else f'{throttled:,} times'} in the last hour")
    if rate < limit:
        parts.append(f"{rate:,} calls an hour for now")
    return ", ".join(parts)


def _forecast(outlook: KeyOutlook, *, now: datetime) -> KeyForecastView:
    coming = outlook.forecast
    kind = KIND_OF_COLOUR[coming.colour]
    word = WORDS[coming.colour]
    if coming.overloads:
        begins = coming.overloads[0].begins
        since = "now" if begins == coming.begins else f"from {local_text(begins, zone=UTC, now=now, seconds=False)}"
        word = f"{word} {since}"
    elif coming.colour is Colour.GREEN:
        word = "Fits"
    return KeyForecastView(
        word=word, kind=kind, icon=ICONS[kind], detail=outlook.sentences[0] if outlook.sentences else ""
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
        rows: Sequence[tuple[int, int, int, str | None]] = cursor.fetchall()
    return {pk: KeyHealth(events=events, failing=failing, error=error or "") for pk, events, failing, error in rows}


def _status_word(each: _Judged, *, paused: bool) -> str:
    if not each.key.partner.is_active:
        return "partner off"
    if each.key.status != Credential.Status.OK:
        return each.key.status
    if paused:
        return "throttled"
    if each.health.failing:
        return "failing"
    if each.elsewhere:
        return "used elsewhere"
    return "nearly spent" if each.calls / each.key.hourly_limit > NEARLY_SPENT else "ok"


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
    return "working" if lease_holds(budget.lane_lease_until, now=now) else "stopped without a word"
