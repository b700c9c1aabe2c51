"""Why an event is or is not synced now, and what would have to change, in sentences. Pure.

The service reads the facts, the planner decides; here both become words, the same ones wherever they are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from partners.budget import Bucket
from sync.core.causes import Cause, cause_of
from sync.core.event_facts import EventFacts, KeyFacts, Obstacle, RunFacts, ScheduleFacts
from sync.core.pace import Demand, is_final
from sync.core.planning import Verdict
from sync.core.policy import Policy, Tier
from sync.core.reconcile_words import comparison_text
from sync.core.status import failed_words, is_silent
from sync.core.tiers import StartWindow, finished_after, tier_at, tier_begins, tier_until
from sync.core.time_words import Clock, counted, span_words

OUTCOMES = {
    "": "running",
    "ok": "updated",
    "unchanged": "no change",
    "throttled": "throttled",
    "failed": "failed",
    "refused": "refused",
    "gone": "gone",
    "lost": "lost: its process ended",
}
TRIGGERS = {
    "manual": "asked for with Sync now",
    "backfill": "by a backfill",
    "discovery": "by the discovery",
    "reconcile": "by the daily comparison",
}
GOOD = frozenset({"ok", "unchanged"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`why`: what holds; `change`: what would have to change."""

    why: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    label: str
    text: str


def explanation(facts: EventFacts, *, clock: Clock, policy: Policy) -> tuple[Line, ...]:
    """Everything but the runs, the answer first."""
    found = answer(facts, clock=clock, policy=policy)
    return (
        Line(label="Why", text=found.why),
        Line(label="To change", text=found.change),
        Line(label="Start", text=start_text(facts, clock=clock)),
        Line(label="Tier", text=tier_text(facts, clock=clock, policy=policy)),
        Line(label="Due", text=due_text(facts.schedule, clock=clock)),
        Line(label="List", text=list_text(facts.schedule, clock=clock)),
        Line(
            label="Compared", text=comparison_text(facts.schedule.comparison if facts.schedule else None, clock=clock)
        ),
        Line(label="Failures", text=failures_text(facts)),
        Line(label="Planner", text=planner_text(facts, clock=clock)),
        Line(label="Key", text=key_text(facts.key, clock=clock)),
        Line(label="Pace", text=pace_text(facts, clock=clock, policy=policy)),
        Line(label="Scheduler", text=scheduler_text(facts.beat_at, clock=clock, policy=policy)),
    )


def answer(facts: EventFacts, *, clock: Clock, policy: Policy) -> Answer:
    """What a person would look at first comes first."""
    row, now = facts.schedule, clock.now
    over = facts.window is not None and now > finished_after(facts.window, policy=policy)
    # Of an event that is over only what is still owed can be in anybody's way.
    if facts.obstacle and (facts.obstacle is Obstacle.EVENT_GONE or not over or (row and row.due_at)):
        return Answer(why=_stop(facts.obstacle_reason), change=_stop(facts.obstacle.value))
    if row is None:
        return Answer(
            why="It is not in the schedule yet.", change="manage.py discover: the next discovery puts it there."
        )
    if row.due_at is None and not facts.is_running:
        return _not_due(facts, over=over, clock=clock, policy=policy)
    cause = cause_of(
        is_running=facts.is_running,
        is_silent=is_silent(facts.beat_at, now=now, policy=policy),
        paused_until=facts.key.paused_until,
        picked_at=row.picked_at,
        lane_until=facts.key.lane_until,
        now=now,
    )
    if cause is Cause.PLANNER and row.hold_reason:
        return _held(row, clock=clock)
    found = _by_cause(cause, facts, row, clock=clock, policy=policy)
    if not row.failures or cause.comes_before_failures:
        return found
    return replace(found, why=f"{_capital(failed_words(row.failures))}: {_stop(_last_error(facts.runs))} {found.why}")


def _by_cause(cause: Cause, facts: EventFacts, row: ScheduleFacts, *, clock: Clock, policy: Policy) -> Answer:
    key = facts.key
    handed = f"A cycle handed it to the lane of {key.name} at {clock.full(row.picked_at)}" if row.picked_at else ""
    match cause:
        case Cause.RUNNING:
            began = facts.runs[0].started_at if facts.runs else clock.now
            return Answer(why=f"It is being synced since {clock.full(began)}.", change="nothing: wait for its end.")
        case Cause.SCHEDULER_SILENT:
            why = f"No cycle runs: the scheduler is {scheduler_text(facts.beat_at, clock=clock, policy=policy)}."
            return Answer(why=why, change="the cluster does not run: start it with manage.py cluster.")
        case Cause.KEY_PAUSED:
            until = clock.text(key.paused_until) if key.paused_until else "it ends"
            return Answer(
                why=f"RunSignUp asked the key {key.name} to slow down.",
                change=f"wait until {until}: RunSignUp asked the key to pause.",
            )
        case Cause.LANE_BUSY:
            why = f"{handed}; the lane is busy with other races of the key."
            return Answer(why=why, change="nothing: wait for its turn.")
        case Cause.LANE_BEGINS:
            return Answer(why=f"{handed}; the lane is about to begin.", change="nothing: wait a few seconds.")
        case Cause.NO_LANE:
            change = "no worker takes the lane: look at the cluster's log and restart it (manage.py cluster)."
            return Answer(why=f"{handed}, and no lane works.", change=change)
        case Cause.PLANNER:
            return _decided(facts, row, clock=clock, policy=policy)


def _not_due(facts: EventFacts, *, over: bool, clock: Clock, policy: Policy) -> Answer:
    if over and facts.window is not None:
        ended = clock.text(finished_after(facts.window, policy=policy))
        why = f"Automatic syncs ended at {ended}, {span_words(policy.after_start)} after the start."
        return Answer(why=why, change=f"nothing. manage.py sync_now {facts.provider_event_id} syncs it once more.")
    return Answer(why="It has no due time.", change="manage.py discover: the next discovery gives it one.")


def _held(row: ScheduleFacts, *, clock: Clock) -> Answer:
    again = f"at {clock.full(row.due_at)}" if row.due_at and row.due_at > clock.now else "now"
    return Answer(why=_stop(row.hold_reason), change=f"a person must act, see above. It is tried again {again}.")


def _decided(facts: EventFacts, row: ScheduleFacts, *, clock: Clock, policy: Policy) -> Answer:
    decision, due_at = facts.decision, row.due_at or clock.now
    if decision is None or decision.verdict is Verdict.WAIT:
        return Answer(
            why=f"{'Its next try' if row.failures else 'Its next sync'} is due at {clock.full(due_at)}.",
            change=f"nothing: it is due at {clock.text(due_at, seconds=True)}.",
        )
    cycle = span_words(policy.cycle)
    if decision.verdict is Verdict.RUN:
        return Answer(why="It is due.", change=f"nothing: the next cycle takes it, within {cycle}.")
    why = _capital(_stop(decision.reason))
    if isinstance(needs := decision.facts.get("needs"), int):
        wait = free_in(facts.key, needs=needs)
        change = f"nothing: the key has a call for it in about {span_words(wait)}, if no more urgent race takes it."
        return Answer(why=why, change=change)
    return Answer(why=why, change=f"nothing: a later cycle takes it; one starts every {cycle}.")


def free_in(key: KeyFacts, *, needs: int) -> timedelta:
    """How long until the key has so many calls free, when nobody else calls."""
    return timedelta(seconds=max(1, needs - key.free) * Bucket.of(key.rate).interval)


def start_text(facts: EventFacts, *, clock: Clock) -> str:
    if facts.window is None:
        return f"RunSignUp gives no usable start; {facts.zone_note}"
    if facts.is_placeholder:
        between = f"between {clock.text(facts.window.earliest)} and {clock.text(facts.window.latest)}"
        return f"RunSignUp gives no time of day: taken as {between}; {facts.zone_note}"
    at = facts.window.earliest
    return f"{clock.text(at)}, {clock.span(at)}; {facts.zone_note}"


def tier_text(facts: EventFacts, *, clock: Clock, policy: Policy) -> str:
    text = tier_words(facts.window, at=clock.now, clock=clock, policy=policy)
    row, tier = facts.schedule, tier_at(facts.window, now=clock.now, policy=policy)
    if row is not None and row.due_at is not None and row.tier is not tier and tier is not None:
        return f"{text}; the schedule still says {row.tier or 'none'}, the next cycle changes that"
    return text


def tier_words(window: StartWindow | None, *, at: datetime, clock: Clock, policy: Policy) -> str:
    """The tier at a moment and its two boundaries."""
    tier = tier_at(window, now=at, policy=policy)
    if window is None:
        return f"LOW: without a start it never becomes more urgent; every {span_words(policy.low.period)}"
    which = "the start" if window.earliest == window.latest else "the earliest start"
    if tier is None:
        ended = clock.text(finished_after(window, policy=policy))
        latest = "the start" if window.earliest == window.latest else "the latest start"
        return f"none: HIGH ended at {ended}, {span_words(policy.after_start)} after {latest}"
    period, until = span_words(policy.rule(tier).period), tier_until(window, now=at, policy=policy)
    ends = f" until {clock.text(until)}" if until is not None else ""
    if tier is Tier.LOW:
        lead = span_words(policy.medium.lead or timedelta(0))
        return f"LOW{ends}, {lead} before {which}: every {period}"
    since = clock.text(tier_begins(window, tier, policy=policy))
    lead = span_words(policy.rule(tier).lead or timedelta(0))
    return f"{tier} since {since}, {lead} before {which},{ends}: every {period}"


def due_text(row: ScheduleFacts | None, *, clock: Clock) -> str:
    if row is None or row.due_at is None:
        return "not due: it is not in the schedule"
    asked = "; asked for with Sync now" if row.is_asked else ""
    return f"{clock.full(row.due_at)}{asked}"


def list_text(row: ScheduleFacts | None, *, clock: Clock) -> str:
    if row is None or row.checked_at is None:
        return "never loaded"
    parts = [f"as of {clock.full(row.checked_at)}"]
    parts.append(f"last change {clock.text(row.changed_at)}" if row.changed_at else "no change yet")
    looked = row.removals_checked_at
    parts.append(f"withdrawals as of {clock.text(looked)}" if looked else "withdrawals not asked for yet")
    return "; ".join(parts)


def failures_text(facts: EventFacts) -> str:
    failures = facts.schedule.failures if facts.schedule else 0
    return f"{failed_words(failures)}: {_last_error(facts.runs)}" if failures else "none since the last good sync"


def planner_text(facts: EventFacts, *, clock: Clock) -> str:
    """The planner's decision about this event now, with the numbers behind it."""
    decision, row = facts.decision, facts.schedule
    if decision is None:
        if row is not None and row.picked_at is not None:
            return f"nothing to decide: handed to its key's lane at {clock.full(row.picked_at)}"
        return "nothing to decide: it is not in the schedule"
    # The name of the key is mostly a part of the reason already.
    more = {name: value for name, value in decision.facts.items() if name != "key" or str(value) not in decision.reason}
    numbers = [_fact(name, value, clock=clock) for name, value in more.items()]
    return f"{decision.verdict.upper()}: {decision.reason}" + (f" ({', '.join(numbers)})" if numbers else "")


def _fact(name: str, value: object, *, clock: Clock) -> str:
    words = name.replace("_", " ")
    if isinstance(value, datetime):
        return f"{words.removesuffix(' at')} {clock.full(value)}"
    if name == "late_seconds" and isinstance(value, float):
        return f"{span_words(timedelta(seconds=value))} late"
    return f"{words} {value}"


def key_text(key: KeyFacts, *, clock: Clock) -> str:
    parts = [
        f"{key.name}: {key.calls:,} of {key.limit:,} calls in the last hour",
        f"{key.free} free now",
        f"rate {key.rate:,} an hour",
    ]
    if key.throttled:
        parts.append(f"told to slow down {counted(key.throttled, 'time')}")
    if key.paused_until is not None and key.paused_until > clock.now:
        parts.append(f"paused until {clock.full(key.paused_until)}")
    parts.append(
        f"lane works, lease until {clock.text(key.lane_until, seconds=True)}" if key.lane_until else "lane idle"
    )
    text = ", ".join(parts)
    return f"{text}. {key.used_elsewhere}" if key.used_elsewhere else text


def pace_text(facts: EventFacts, *, clock: Clock, policy: Policy) -> str:
    """ "every 84 s instead of 60 s: key X has 18 races in their last 4 hours"."""
    key = facts.key
    tier = tier_at(facts.window, now=clock.now, policy=policy)
    if tier is None:
        return "none: the event is over"
    planned = policy.rule(tier).period
    period = key.pace.period(tier, is_final=is_final(facts.window, now=clock.now))
    wanted = f"{key.pace.wanted:,.0f} of {key.pace.usable:,.0f} calls an hour wanted"
    if period > planned:
        races = _races(key.demand, tier, policy=policy)
        return f"every {span_words(period)} instead of {span_words(planned)}: key {key.name} has {races} ({wanted})"
    if key.pace.overloaded:
        return f"every {span_words(planned)} as planned, less urgent races of the key give way ({wanted})"
    return f"every {span_words(planned)} as planned ({wanted})"


def _races(demand: Demand, tier: Tier, *, policy: Policy) -> str:
    high = f"{counted(demand.high, 'race')} in their last {_hours(policy.high.lead)}"
    medium = f"{demand.medium:,} in their last {_hours(policy.medium.lead)}"
    if tier is Tier.HIGH:
        return high
    return f"{high} and {medium}" if tier is Tier.MEDIUM else f"{high}, {medium} and {demand.low:,} further ahead"


def _hours(lead: timedelta | None) -> str:
    hours = (lead or timedelta(0)) / timedelta(hours=1)
    return f"{hours:g} {'hour' if hours == 1 else 'hours'}"


def scheduler_text(beat_at: datetime | None, *, clock: Clock, policy: Policy) -> str:
    if beat_at is None:
        return "silent: it has never run"
    state = "silent since" if is_silent(beat_at, now=clock.now, policy=policy) else "alive: last cycle"
    return f"{state} {clock.full(beat_at)}"


def run_texts(runs: Sequence[RunFacts], *, clock: Clock, most: int = 10) -> tuple[str, ...]:
    """`runs` newest first; each with what it brought and how long after the one before it began."""
    return tuple(
        run_text(run, before=runs[place + 1] if place + 1 < len(runs) else None, clock=clock)
        for place, run in enumerate(runs[:most])
    )


def run_text(run: RunFacts, *, before: RunFacts | None, clock: Clock) -> str:
    parts = [OUTCOMES.get(run.outcome, run.outcome)]
    if run.added or run.changed or run.removed:
        parts.append(f"+{run.added} ~{run.changed} −{run.removed}")
    parts.append(counted(run.calls, "call"))
    if run.trigger in TRIGGERS:
        parts.append(TRIGGERS[run.trigger])
    if run.is_full:
        parts.append("full comparison")
    if run.came_along:
        parts.append("came along with its race")
    if before is not None:
        parts.append(f"{span_words(run.started_at - before.started_at)} after the one before")
    text = f"{clock.text(run.started_at, seconds=True)}: {', '.join(parts)}"
    return f"{text}. {run.error}" if run.error else text


def _last_error(runs: Sequence[RunFacts]) -> str:
    return next((run.error for run in runs if run.error), "the reason is not recorded any more")


def _stop(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
