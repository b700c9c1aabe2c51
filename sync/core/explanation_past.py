"""Why an event was or was not synced at an earlier moment, from what is recorded. Pure."""

from __future__ import annotations

from datetime import datetime

from sync.core.event_facts import CycleFacts, EventFacts, PastFacts, RunFacts
from sync.core.explanation import Line, run_text, tier_words
from sync.core.policy import Policy
from sync.core.status import SILENT_CYCLES
from sync.core.tiers import tier_at
from sync.core.time_words import Clock, counted, span_words

NOT_RECORDED = (
    "when it was due between its runs, what the planner decided then, an earlier start, and switches of the race or of "
    "its key"
)


def past_explanation(facts: EventFacts, past: PastFacts, *, clock: Clock, policy: Policy) -> tuple[Line, ...]:
    """The state at `past.at`; `clock.now` is today's, so that days are named."""
    tier = tier_at(facts.window, now=past.at, policy=policy)
    words = tier_words(facts.window, at=past.at, clock=clock, policy=policy)
    return (
        Line(label="At", text=clock.full(past.at)),
        Line(label="Tier then", text=f"{words}; by the start as it is known now"),
        Line(label="Gap", text=gap_text(past, clock=clock)),
        Line(label="In the gap", text=bad_text(past)),
        Line(label="Ended by", text=ended_text(past, clock=clock)),
        Line(label="Scheduler", text=cycles_text(past, tier=tier or "", clock=clock, policy=policy)),
        Line(label="Key", text=key_past_text(facts.key.name, facts.key.limit, past, clock=clock)),
        Line(label="Unknown", text=f"not recorded: {NOT_RECORDED}"),
    )


def gap_text(past: PastFacts, *, clock: Clock) -> str:
    """From the last good sync before to the first after: how long the list was not renewed."""
    if past.last_good is None:
        if past.kept_since is None:
            return "no run of this event is recorded: it was never synced, or its runs were pruned"
        first = clock.text(past.kept_since, seconds=True)
        return f"no good sync is recorded before it; the first run that is kept began {first}"
    since = clock.text(past.last_good.started_at, seconds=True)
    if past.next_good is None:
        long = span_words(clock.now - past.last_good.started_at)
        return f"synced {since}, not since then: {long} until now"
    long = span_words(past.next_good.started_at - past.last_good.started_at)
    return f"synced {since}, then {clock.text(past.next_good.started_at, seconds=True)}: {long} without a good sync"


def bad_text(past: PastFacts) -> str:
    if not past.bad_count:
        return "no run ended badly"
    newest = past.bad_runs[0] if past.bad_runs else None
    error = f"; the last: {newest.error or newest.outcome}" if newest else ""
    return f"{counted(past.bad_count, 'run')} ended badly{error}"


def ended_text(past: PastFacts, *, clock: Clock) -> str:
    run = past.next_good
    if run is None:
        return "nothing yet: no good sync followed"
    late = ""
    if run.due_at is not None and run.started_at > run.due_at:
        due = clock.text(run.due_at, seconds=True)
        late = f"; it had been due {due}, {span_words(run.started_at - run.due_at)} before"
    return f"{run_text(run, before=None, clock=clock)}{late}"


def cycles_text(past: PastFacts, *, tier: str, clock: Clock, policy: Policy) -> str:
    """Whether cycles came at that time, and what the last one before it had to do in this tier."""
    before, after = past.cycle_before, past.cycle_after
    ran = f"{counted(past.cycles, 'cycle')} in the gap"
    if before is None:
        return f"no cycle is recorded before it; {ran}"
    until = after.started_at if after is not None else clock.now
    if until - before.started_at > SILENT_CYCLES * policy.cycle:
        ended = clock.text(until, seconds=True) if after is not None else "now"
        return f"silent: no cycle ran from {clock.text(before.started_at, seconds=True)} until {ended}; {ran}"
    return f"alive: {_cycle_text(before, tier, clock=clock)}; {ran}"


def _cycle_text(cycle: CycleFacts, tier: str, *, clock: Clock) -> str:
    began = clock.text(cycle.started_at, seconds=True)
    if not tier:
        return f"a cycle ran {began}"
    return f"the cycle of {began} had {cycle.due} {tier} events due, took {cycle.picked}, deferred {cycle.deferred}"


def key_past_text(name: str, limit: int, past: PastFacts, *, clock: Clock) -> str:
    text = f"{name}: {past.calls:,} calls in the hour before (limit now {limit:,})"
    if past.throttled:
        text = f"{text}, told to slow down {counted(past.throttled, 'time')}"
    if past.refused_at is not None:
        text = f"{text}, last refused {clock.text(past.refused_at, seconds=True)}"
    return text


def around_texts(past: PastFacts, *, clock: Clock) -> tuple[str, ...]:
    """The runs around the moment, newest first, with the moment between them."""
    runs: list[RunFacts] = [*reversed(past.after), *past.before]
    texts = [
        run_text(run, before=runs[place + 1] if place + 1 < len(runs) else None, clock=clock)
        for place, run in enumerate(runs)
    ]
    texts.insert(len(past.after), _here(past.at, clock=clock))
    return tuple(texts)


def _here(at: datetime, *, clock: Clock) -> str:
    return f"— {clock.text(at, seconds=True)} —"
