"""Why an event was not synced for so long, the thing that explains most first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.core.gap_causes import GapFacts, gap_cause, needs_cause
from sync.core.policy import DEFAULT_POLICY
from sync.core.receipt import Gap, RunFact

BEGAN = datetime(2026, 6, 6, 10, 12, tzinfo=UTC)


def gap(seconds: int, *, period: int = 60) -> Gap:
    return Gap(begins=BEGAN, ends=BEGAN + timedelta(seconds=seconds), owed=seconds / period)


def run(after: int, outcome: str = "unchanged", *, due: int | None = None, error_class: str = "") -> RunFact:
    due_at = None if due is None else BEGAN + timedelta(seconds=due)
    return RunFact(started_at=BEGAN + timedelta(seconds=after), outcome=outcome, due_at=due_at, error_class=error_class)


def cause(seconds: int, *runs: RunFact, **facts) -> str:
    known = {"is_first": False, "silence": timedelta(seconds=10), "throttled": 0, "calls": 400, "limit": 1000}
    return gap_cause(gap(seconds), GapFacts(runs=runs, **{**known, **facts}), policy=DEFAULT_POLICY)


@pytest.mark.parametrize(
    ("runs", "facts", "expected"),
    [
        ([run(400, due=60)], {"silence": timedelta(seconds=330)}, "the scheduler was silent for 5 min 30 s"),
        ([run(70, "refused"), run(400)], {}, "RunSignUp refused the key"),
        ([run(70, "failed"), run(400)], {}, "1 try failed"),
        ([run(70, "failed"), run(140, "lost"), run(400)], {}, "2 tries failed"),
        ([run(70, "lost"), run(400)], {}, "1 try lost"),
        ([run(70, "throttled", error_class="Throttled"), run(400)], {}, "throttled"),
        ([run(400, due=60)], {"throttled": 2}, "throttled"),
        ([run(70, "throttled", error_class="NoBudget"), run(400)], {}, "the key had no free call"),
        ([run(400, due=60)], {"calls": 990}, "the key had no free call"),
        ([run(400, due=60)], {}, "waited 5 min 40 s for its turn"),
        ([run(400, due=395)], {}, "stretched to 6 min 35 s: the key's races wanted more calls than it may make"),
        ([run(400, due=60)], {"is_first": True}, "it was not in the schedule before"),
        ([run(400)], {}, "the reason is not recorded"),
        ([], {}, "the reason is not recorded"),
    ],
)
def test_the_cause(runs, facts, expected):
    assert cause(400, *runs, **facts) == expected


def test_a_silence_of_a_minute_does_not_explain_a_gap_of_an_hour():
    assert cause(3600, run(90, "failed"), run(3600), silence=timedelta(seconds=90)) == "1 try failed"


@pytest.mark.parametrize(("seconds", "period", "needed"), [(70, 60, False), (74, 60, True), (309, 300, False)])
def test_a_sync_may_begin_a_cycle_later_than_planned(seconds, period, needed):
    assert needs_cause(gap(seconds, period=period), policy=DEFAULT_POLICY) is needed
