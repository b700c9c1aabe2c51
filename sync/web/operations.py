"""The staff page "Now": does the machine run, does it hold the promise, who has to act, what runs at this moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Count, F, IntegerField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse

from partners.models import Credential
from sync.core.policy import Policy, Tier
from sync.core.time_words import counted
from sync.models import Cycle, EventSync
from sync.services.leases import LEASE
from sync.web.cycle_chart import LIMIT_SECONDS, seconds_text
from sync.web.cycle_rows import CycleRow, cycle_row
from sync.web.held import HeldRow, held_rows
from sync.web.late_events import LateEvent, LateTier, late_tiers
from sync.web.race_sentence import Sentence
from sync.web.running_now import BackfillRow, LaneRow, backfill_rows, lane_rows
from sync.web.scheduler import Beat, banner_text, last_beat
from sync.web.times import local_text
from sync.web.words import ICONS, Kind

# Keys that are refused or work, at most; more at once is one cause, not so many.
KEYS_LOOKED_AT = 200
HELD_LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that somebody has to do: what is wrong, and the page where it is seen or put right."""

    kind: Kind
    text: str
    url: str
    link: str

    @property
    def icon(self) -> str:
        return ICONS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class TierNow:
    """What the last cycle found and took of a tier, and what of it is late now."""

    name: str
    due: int | None
    picked: int | None
    deferred: int | None
    late: LateTier

    @property
    def kind(self) -> Kind:
        return Kind.BAD if self.late.overdue else Kind.WARN if self.late.count else Kind.GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """`sentence` None: the banner says that the scheduler is silent; `lanes_left` are not shown."""

    banner: str
    sentence: Sentence | None
    problems: tuple[Problem, ...]
    cycle: CycleRow | None
    tiers: tuple[TierNow, ...]
    lanes: tuple[LaneRow, ...]
    lanes_left: int
    backfills: tuple[BackfillRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stopped:
    """Due events whose key RunSignUp refuses; `high` of all `events`."""

    high: int
    events: int


def operations(*, now: datetime, policy: Policy) -> Operations:
    """At most seven queries, however much there is."""
    beat = last_beat(now=now, policy=policy)
    cycle = Cycle.objects.order_by("-started_at", "-pk").first()
    late = late_tiers(beat=beat, now=now, policy=policy)
    keys = list(_refused_or_working(now=now))
    refused = [key for key in keys if key.status == Credential.Status.REFUSED and key.partner.is_active]
    lanes, lanes_left = lane_rows([key for key in keys if _works(key, now=now)], now=now)
    stopped = _Stopped(
        high=sum(getattr(key, "high_due", 0) for key in refused),
        events=sum(getattr(key, "all_due", 0) for key in refused),
    )
    return Operations(
        banner=banner_text(beat, zone=UTC, now=now),
        sentence=None if beat.is_silent else _sentence(late, cycle, stopped=stopped),
        problems=(
            *_machine_problems(beat, cycle, now=now),
            *_late_problems(late[Tier.HIGH]),
            *[_refused_problem(key) for key in refused],
            *_held_problems(held_rows(now=now)),
        ),
        cycle=cycle_row(cycle, now=now) if cycle else None,
        tiers=_tiers(cycle, late),
        lanes=lanes,
        lanes_left=lanes_left,
        backfills=backfill_rows(now=now),
    )


def _refused_or_working(*, now: datetime):
    """The refused first, each with the number of its events that are due: `high_due` and `all_due`."""
    due = EventSync.objects.filter(credential=OuterRef("pk"), due_at__lte=now).order_by().values("credential")
    working = Q(budget__lane_lease_until__gt=now, budget__lane_lease_until__lte=now + 2 * LEASE)

    def number(rows) -> Coalesce:
        return Coalesce(Subquery(rows.annotate(n=Count("*")).values("n"), output_field=IntegerField()), 0)

    return (
        Credential.objects.filter(Q(status=Credential.Status.REFUSED) | working)
        .select_related("partner", "budget")
        .only(
            *("label", "status", "status_detail", "partner__name", "partner__slug", "partner__is_active"),
            "budget__lane_lease_until",
        )
        .annotate(high_due=number(due.filter(tier=Tier.HIGH.value)), all_due=number(due))
        .order_by(F("refused_at").desc(nulls_last=True), "pk")[:KEYS_LOOKED_AT]
    )


def _works(key: Credential, *, now: datetime) -> bool:
    until = key.budget.lane_lease_until if hasattr(key, "budget") else None
    return until is not None and now < until <= now + 2 * LEASE


def _sentence(late: Mapping[Tier, LateTier], cycle: Cycle | None, *, stopped: _Stopped) -> Sentence:
    """The scheduler is alive; is the promise held, and if not, why."""
    high = late[Tier.HIGH]
    if high.count or stopped.high:
        parts = []
        if high.oldest:
            parts.append(f"{_late_words(high, Tier.HIGH)}, {_oldest_words(high.oldest)}")
        if stopped.high:
            parts.append(f"{counted(stopped.high, 'HIGH event')} cannot be synced, because RunSignUp refuses the key")
        kind = Kind.BAD if high.overdue or stopped.high else Kind.WARN
        return Sentence(
            word="Promise not held", kind=kind, text=_stops("; ".join(parts)), note="The scheduler is alive."
        )
    others = [_late_words(late[tier], tier) for tier in (Tier.MEDIUM, Tier.LOW) if late[tier].count]
    if stopped.events:
        others.append(f"{counted(stopped.events, 'event')} cannot be synced, because RunSignUp refuses the key")
    if _took_too_long(cycle):
        others.append("the last cycle took too long")
    if others:
        text = f"the scheduler is alive, but {' and '.join(others)}."
        return Sentence(word="HIGH on time", kind=Kind.WARN, text=text)
    return Sentence(word="Scheduler alive", kind=Kind.GOOD, text="and the promise is held: no event is late.")


def _late_words(tier: LateTier, name: Tier) -> str:
    many = tier.count != 1 or tier.is_more
    return f"{tier.text} {name.value} event{'s' if many else ''} {'are' if many else 'is'} late"


def _oldest_words(event: LateEvent) -> str:
    return f"the oldest is {event.event} of {event.race}, {event.late}: {event.reason}"


def _stops(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _took_too_long(cycle: Cycle | None) -> bool:
    return bool(cycle and cycle.finished_at and (cycle.finished_at - cycle.started_at).total_seconds() >= LIMIT_SECONDS)


def _machine_problems(beat: Beat, cycle: Cycle | None, *, now: datetime) -> list[Problem]:
    found = []
    if beat.is_silent:
        since = f"since {local_text(beat.at, zone=UTC, now=now)}" if beat.at else "at all"
        text = f"No cycle ran {since}. Start the cluster, or restart it: manage.py cluster"
        found.append(Problem(kind=Kind.BAD, text=text, url=reverse("cycles"), link="Cycles"))
    if cycle and cycle.finished_at and _took_too_long(cycle):
        took = seconds_text((cycle.finished_at - cycle.started_at).total_seconds())
        text = f"The last cycle took {took}; HIGH events are due every minute. Look at the database's load."
        found.append(Problem(kind=Kind.WARN, text=text, url=reverse("cycles"), link="Cycles"))
    return found


def _late_problems(high: LateTier) -> list[Problem]:
    if high.oldest is None:
        return []
    return [
        Problem(
            kind=Kind.BAD if high.overdue else Kind.WARN,
            text=_stops(f"{_late_words(high, Tier.HIGH)}; {_oldest_words(high.oldest)}"),
            url=reverse("event_page", args=[high.oldest.race_pk, high.oldest.event_pk]),
            link="Why, and what to do",
        )
    ]


def _refused_problem(key) -> Problem:
    waits = ""
    if key.all_due:
        high = f", {key.high_due:,} of them HIGH" if key.high_due else ""
        waits = f" {counted(key.all_due, 'event')} {'waits' if key.all_due == 1 else 'wait'} for it{high}."
    return Problem(
        kind=Kind.BAD,
        text=f"RunSignUp refuses the key {key}: {_stops(key.status_detail or 'no reason given')}{waits}",
        url=reverse("admin:partners_credential_change", args=[key.pk]),
        link="Enter a new key, or verify this one",
    )


def _held_problems(held: Sequence[HeldRow]) -> list[Problem]:
    """The oldest few, and the rest as one line."""
    found = [
        Problem(
            kind=Kind.BAD,
            text=f"Needs a decision: {row.missing} people of {row.event}, {row.race}, are missing from RunSignUp's "
            "list at once. Nobody is removed until then.",
            url=reverse("admin:races_heldremoval_change", args=[row.pk]),
            link="Have they left?",
        )
        for row in held[:HELD_LISTED]
    ]
    if len(held) > HELD_LISTED:
        text = f"{len(held) - HELD_LISTED} more events need a decision about people who are missing at once."
        url = reverse("admin:races_heldremoval_changelist")
        found.append(Problem(kind=Kind.BAD, text=text, url=url, link="Held removals"))
    return found


def _tiers(cycle: Cycle | None, late: Mapping[Tier, LateTier]) -> tuple[TierNow, ...]:
    def number(tier: Tier, what: str) -> int | None:
        return getattr(cycle, f"{tier.value.lower()}_{what}") if cycle else None

    return tuple(
        TierNow(
            name=tier.value,
            due=number(tier, "due"),
            picked=number(tier, "picked"),
            deferred=number(tier, "deferred"),
            late=late[tier],
        )
        for tier in Tier
    )
