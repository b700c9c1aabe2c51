"""Why an event was not synced for so long, from what is recorded of that time. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sync.core.explanation import GOOD
from sync.core.policy import Policy
from sync.core.receipt import FAILED, Gap, RunFact
from sync.core.status import SILENT_CYCLES
from sync.core.time_words import counted, span_words

THROTTLED = "throttled"
KEY_BUDGET = "the key had no free call"
NEW_HERE = "it was not in the schedule before"
NOT_RECORDED = "the reason is not recorded"
# As recorded at a run that got no call: the provider was not even asked.
NO_BUDGET = "NoBudget"


@dataclass(frozen=True, slots=True, kw_only=True)
class GapFacts:
    """What is recorded of a gap. `runs`: those that began in it, the good one that ended it the last; `is_first`: the
    event had no run before its end; `silence`: the longest time in it without a cycle; `throttled`: how often the
    provider slowed the key down in it; `calls`: of the key in the hour before its end, `limit`: how many it may make.
    """

    runs: Sequence[RunFact]
    is_first: bool
    silence: timedelta
    throttled: int
    calls: int
    limit: int


def needs_cause(gap: Gap, *, policy: Policy) -> bool:
    """A sync may begin a cycle later than planned: that is no gap that anybody has to explain."""
    return gap.length - gap.period > policy.cycle


def gap_cause(gap: Gap, facts: GapFacts, *, policy: Policy) -> str:
    """In a few words, the one that explains most first."""
    if facts.silence > SILENT_CYCLES * policy.cycle and facts.silence > gap.length / 2:
        return f"the scheduler was silent for {span_words(facts.silence)}"
    bad = Counter(run.outcome for run in facts.runs if run.outcome not in GOOD)
    if bad["refused"]:
        return "RunSignUp refused the key"
    failed = sum(number for outcome, number in bad.items() if outcome in FAILED)
    if failed:
        only_lost = failed == bad["lost"]
        return f"{counted(failed, 'try').replace('trys', 'tries')} {'lost' if only_lost else 'failed'}"
    without_call = sum(1 for run in facts.runs if run.error_class == NO_BUDGET)
    if facts.throttled or bad["throttled"] > without_call:
        return THROTTLED
    if without_call:
        return KEY_BUDGET
    return NEW_HERE if facts.is_first else _late(gap, facts, policy=policy)


def _late(gap: Gap, facts: GapFacts, *, policy: Policy) -> str:
    """Nothing went wrong: it was due later, or waited for its turn."""
    ended = facts.runs[-1] if facts.runs and facts.runs[-1].outcome in GOOD else None
    if ended is None or ended.due_at is None:
        return NOT_RECORDED
    if ended.due_at - gap.begins > gap.period + policy.cycle:
        planned = span_words(ended.due_at - gap.begins)
        return f"stretched to {planned}: the key's races wanted more calls than it may make"
    waited = ended.started_at - ended.due_at
    if waited <= policy.cycle:
        return NOT_RECORDED
    if facts.calls >= facts.limit - facts.limit // 20:
        return KEY_BUDGET
    return f"waited {span_words(waited)} for its turn"
