"""A cycle as pages show it: what was due, picked and deferred, what came of it, how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sync.models import Cycle, Outcome
from sync.web.times import Moment, moment
from sync.web.words import OUTCOMES


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
