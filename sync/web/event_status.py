"""The state of events as pages show it: one selector for the race list, the race page and the event page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import QuerySet

from partners.gate import BudgetState, loaded_budget_states
from races.models import Event
from sync.core.pace import Pace
from sync.core.planning import Candidate, KeyState
from sync.core.policy import Policy, Tier
from sync.core.status import EventState, Status, Word, status_of
from sync.core.tiers import PLACEHOLDER_EARLIEST, PLACEHOLDER_LATEST, finished_after, zone_of
from sync.core.time_words import Clock, whole_minutes
from sync.models import ASKED_FOR, EventSync, SyncRun
from sync.services.event_schedule import window_of
from sync.services.event_states import event_state
from sync.services.key_pace import key_paces
from sync.web.lateness import Waiting, late_cause, paused_text
from sync.web.runs import Strip, latest_runs, short_error, strip
from sync.web.scheduler import Beat
from sync.web.switches import why_no_sync
from sync.web.times import Moment, day_text, moment
from sync.web.words import ICONS, KIND_OF_WORD, Kind, TierView, tier_view

NOT_IN_SCHEDULE = "It is not in the schedule yet: the next discovery adds it."
# A due check begins with the next cycle, up to ten seconds later: so long it is not waiting for anything.
BEGINS_WITHIN = timedelta(seconds=15)
# What somebody asked for is reported this long; a reader who looks away for a moment still finds it.
ASKED_SHOWN = timedelta(seconds=75)
# The newest error of an event that fails is in one of these; more failures in a row without a text do not happen.
RUNS_WITH_ERROR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """People of an event: registered now, those of them with a bib, those who withdrew, and those of them today."""

    registered: int = 0
    bibs: int = 0
    withdrawn: int = 0
    withdrawn_today: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStatus:
    """One event at `now`. `start_text`: for a start without a time of day; `cause`: why it is late or will be; `off`:
    switched off on purpose. `check_found`: what the check of `as_of` brought, for it is not always the last change.
    `checks_ended`: when the automatic checks ended; `checks_last`: how long after a start they go on. `asked_at`: what
    a person asked for that is not served yet; `asked_run`: one that was served just now."""

    pk: int
    race_pk: int
    name: str
    distance: str
    starts: Moment | None
    start_text: str
    start_problem: str
    tier: TierView | None
    status: Status
    kind: Kind
    icon: str
    cause: str
    over: bool
    off: bool
    gone: bool
    checks_ended: datetime | None
    checks_last: str
    checked_at: datetime | None
    removals_checked_at: datetime | None
    due_at: datetime | None
    as_of: Moment | None
    check_found: str
    withdrawals_as_of: Moment | None
    changed: Moment | None
    due: Moment | None
    due_now: bool
    checking_now: bool
    is_running: bool
    key_paused: bool
    can_sync_now: bool
    asked_at: datetime | None
    asked_run: SyncRun | None
    counts: Counts
    strip: Strip | None

    @property
    def why(self) -> str:
        """The reason behind the word, "" when the word says it all."""
        return ": ".join(part for part in (self.status.reason, self.cause) if part)

    @property
    def is_loaded(self) -> bool:
        """Whether the counts mean anything: nobody in a list that was never fetched is not "nobody registered"."""
        return self.checked_at is not None or self.counts != Counts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the database says about a list of events, each part read with one or two queries for all of them."""

    counts: dict[int, Counts]
    running: frozenset[int]
    runs: dict[int, list[SyncRun]]
    errors: dict[int, str]
    budgets: dict[int, BudgetState]
    lanes: dict[int, datetime | None]
    paces: dict[int, Pace]
    beat: Beat


def with_state(events: QuerySet[Event]) -> QuerySet[Event]:
    """The events with everything their state needs, without the provider's raw text and without any secret."""
    return events.select_related("sync", "race__credential__partner", "race__credential__budget").defer(
        "raw", "race__raw", "race__credential__api_secret", "race__credential__api_key"
    )


def event_statuses(
    events: Sequence[Event], *, beat: Beat, now: datetime, policy: Policy, runs: bool = True, people: bool = True
) -> tuple[EventStatus, ...]:
    """The states of `events` (from `with_state`), in their order. The number of queries does not depend on theirs.

    `runs`, `people`: whether to read the last runs, and to count who is registered.
    """
    ids = [event.pk for event in events]
    credentials = {event.race.credential_id: event.race.credential for event in events}
    recent = latest_runs(ids) if runs else {}
    budgets = loaded_budget_states(credentials.values(), now=now)
    known = Known(
        counts=participant_counts(ids, since=_midnights(events, now=now)) if people else {},
        running=_running(recent, now=now) if runs else _running_now(ids, now=now),
        runs=recent,
        errors=_errors(events, recent),
        budgets=budgets,
        lanes={pk: key.budget.lane_lease_until for pk, key in credentials.items() if hasattr(key, "budget")},
        paces=key_paces({pk: budget.rate for pk, budget in budgets.items()}, now=now, policy=policy),
        beat=beat,
    )
    return tuple(_status(event, known, now=now, policy=policy) for event in events)


def _running(recent: Mapping[int, Sequence[SyncRun]], *, now: datetime) -> frozenset[int]:
    """A run whose lease ended belongs to a dead worker: it is not running, whatever the row says."""
    return frozenset(
        pk for pk, runs in recent.items() if any(run.lease_until and run.lease_until > now for run in runs)
    )


def _running_now(event_ids: Sequence[int], *, now: datetime) -> frozenset[int]:
    running = SyncRun.objects.filter(event_id__in=event_ids, lease_until__gt=now)
    return frozenset(running.values_list("event_id", flat=True))


def _errors(events: Sequence[Event], recent: dict[int, list[SyncRun]]) -> dict[int, str]:
    """What the last failed run of each failing event said; `recent` when those runs were read anyway."""
    failing = [event.pk for event in events if (row := getattr(event, "sync", None)) is not None and row.failures]
    found = recent or (latest_runs(failing, limit=RUNS_WITH_ERROR) if failing else {})
    return {
        pk: next((short_error(run.error_text) for run in found.get(pk, []) if run.error_text), "") for pk in failing
    }


def _midnights(events: Sequence[Event], *, now: datetime) -> list[datetime]:
    """When today began where each event is."""
    return [Clock(zone=zone_of(event.race.timezone), now=now).midnight() for event in events]


def participant_counts(event_ids: Sequence[int], *, since: Sequence[datetime] | None = None) -> dict[int, Counts]:
    """`since`: for each event when its today began; None: nobody asks for today.

    All is answered from two indexes alone: 5,000 people an event must not be read every five seconds.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT wanted.id, active.registered, active.bibs, gone.withdrawn, gone.today
            FROM unnest(%s::bigint[], %s::timestamptz[]) AS wanted (id, since)
            CROSS JOIN LATERAL (
                SELECT count(*) AS registered, count(*) FILTER (WHERE bib <> '') AS bibs
                FROM races_participant WHERE event_id = wanted.id AND removed_at IS NULL
            ) AS active
            CROSS JOIN LATERAL (
                SELECT count(*) AS withdrawn, count(*) FILTER (WHERE removed_at >= wanted.since) AS today
                FROM races_participant WHERE event_id = wanted.id AND removed_at IS NOT NULL
            ) AS gone
            """,
            [list(event_ids), list(since or [])],
        )
        return {
            pk: Counts(registered=registered, bibs=bibs, withdrawn=withdrawn, withdrawn_today=today)
            for pk, registered, bibs, withdrawn, today in cursor.fetchall()
        }


def _status(event: Event, known: Known, *, now: datetime, policy: Policy) -> EventStatus:
    row: EventSync | None = getattr(event, "sync", None)
    zone = zone_of(event.race.timezone)
    window = window_of(event)
    ended = finished_after(window, policy=policy) if window is not None else None
    pace = known.paces.get(event.race.credential_id)
    state = event_state(event, is_running=event.pk in known.running, pace=pace, now=now, policy=policy)
    over = state.over
    status = _word(event, state, now=now, policy=policy)
    kind = KIND_OF_WORD[status.word]
    recent = known.runs.get(event.pk, [])
    tier = None if over else state.tier
    due_at = state.due_at
    budget = known.budgets.get(event.race.credential_id)
    return EventStatus(
        pk=event.pk,
        race_pk=event.race_id,
        name=event.name,
        distance=event.distance,
        starts=None if event.start_is_placeholder else moment(event.starts_at, zone=zone, now=now, seconds=False),
        start_text=_start_text(event, zone=zone, now=now),
        start_problem=_start_problem(event),
        tier=tier_view(tier, window=window, policy=policy, pace=pace, now=now),
        status=status,
        kind=kind,
        icon=ICONS[kind],
        cause=_cause(status, row, known, event, policy=policy, now=now),
        over=over,
        off=bool(state.off_reason) and not over,
        gone=event.gone_at is not None,
        checks_ended=ended if over else None,
        checks_last=whole_minutes(policy.after_start),
        checked_at=row.checked_at if row else None,
        removals_checked_at=row.removals_checked_at if row else None,
        due_at=due_at,
        as_of=moment(row.checked_at if row else None, zone=zone, now=now),
        check_found=_check_found(row),
        withdrawals_as_of=moment(row.removals_checked_at if row else None, zone=zone, now=now),
        changed=moment(row.changed_at if row else None, zone=zone, now=now),
        due=moment(due_at, zone=zone, now=now),
        due_now=due_at is not None and due_at <= now,
        checking_now=due_at is not None and due_at <= now <= due_at + BEGINS_WITHIN,
        is_running=event.pk in known.running,
        key_paused=budget is not None and budget.paused_until is not None,
        can_sync_now=not (event.gone_at or why_no_sync(event.race)),
        asked_at=row.due_at if row and row.due_trigger in ASKED_FOR else None,
        asked_run=_asked_run(recent, now=now),
        counts=known.counts.get(event.pk, Counts()),
        strip=strip(recent, zone=zone, now=now),
    )


def _check_found(row: EventSync | None) -> str:
    """A list is as of its last check whether that brought anything or not; the last change is another time."""
    if row is None or row.checked_at is None:
        return ""
    if row.changed_at is None or row.changed_at < row.checked_at:
        return "nothing changed"
    return "with changes" if row.changed_at == row.checked_at else ""


def _word(event: Event, state: EventState, *, now: datetime, policy: Policy) -> Status:
    status = status_of(state, now=now, policy=policy)
    if getattr(event, "sync", None) is None and status == Status(word=Word.NOT_SCHEDULED):
        return Status(word=status.word, reason=NOT_IN_SCHEDULE)
    return status


def _asked_run(recent: Sequence[SyncRun], *, now: datetime) -> SyncRun | None:
    asked = (run for run in recent if run.trigger in ASKED_FOR and run.finished_at is not None)
    newest = next(asked, None)
    return newest if newest and newest.finished_at and now - newest.finished_at < ASKED_SHOWN else None


def _cause(status: Status, row: EventSync | None, known: Known, event: Event, *, policy: Policy, now: datetime) -> str:
    """Why it is late, and what will make it late: a failed try, a key that may not call."""
    budget, tier = known.budgets.get(event.race.credential_id), Tier(row.tier) if row and row.tier else None
    if row is None or row.due_at is None or tier is None or budget is None:
        return ""
    if status.word in {Word.NEEDS_ACTION, Word.NOT_SCHEDULED}:
        return ""
    zone = zone_of(event.race.timezone)
    if not status.is_bad and not row.failures:
        return paused_text(budget.paused_until, zone=zone, now=now) if budget.paused_until else ""
    waiting = Waiting(
        candidate=Candidate(
            event_id=event.pk,
            race_id=event.race_id,
            credential_id=budget.credential_id,
            partner_id=event.race.partner_id,
            tier=tier,
            due_at=row.due_at,
        ),
        key=KeyState(
            credential_id=budget.credential_id,
            free=budget.free,
            limit=budget.rate,
            paused_until=budget.paused_until,
        ),
        failures=row.failures,
        error=known.errors.get(event.pk, "").rstrip("."),
        is_running=event.pk in known.running,
        is_silent=known.beat.is_silent,
        picked_at=row.picked_at,
        lane_until=known.lanes.get(budget.credential_id),
    )
    return late_cause(waiting, policy=policy, zone=zone, now=now)


def _start_text(event: Event, *, zone: ZoneInfo, now: datetime) -> str:
    """For a start that is not a moment; "" otherwise."""
    if event.starts_at is None:
        return "No start date"
    return f"{day_text(event.starts_at, zone=zone, now=now)}, no time of day" if event.start_is_placeholder else ""


def _start_problem(event: Event) -> str:
    if event.starts_at is None:
        return "RunSignUp has no start for this event: set it there, until then it is checked every hour only."
    if event.start_is_placeholder:
        return (
            f"RunSignUp has no usable start time: taken as between {PLACEHOLDER_EARLIEST:%H:%M} and "
            f"{PLACEHOLDER_LATEST:%H:%M}. Set it there."
        )
    return ""
