"""What the demo says at its end: figures per tier and key, and whether promise and truth held."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from sync.demo.figures import Spread
from sync.demo.promise import Verdict
from sync.demo.truth import Comparison

DIFFERENCES_SHOWN = 10


def summary_print(console: Console, verdict: Verdict, comparison: Comparison | None) -> None:
    verdict_print(console, verdict)
    if comparison is not None:
        console.print(
            f"Truth: {comparison.registrations:,} registrations of {comparison.events} events compared, "
            f"{len(comparison.differences)} differ."
        )
        for difference in comparison.differences[:DIFFERENCES_SHOWN]:
            console.print(f"  {difference}", markup=False)
    for sentence in verdict.broken:
        console.print(f"Promise broken: {sentence}", markup=False)
    if not verdict.broken and not (comparison and comparison.differences):
        console.print("The promise was kept.")


def verdict_print(console: Console, verdict: Verdict) -> None:
    console.print(_tier_table(verdict))
    console.print(_high_table(verdict))
    console.print(_key_table(verdict))
    cycles = verdict.cycles
    console.print(
        f"Cycles: {cycles.count} in {verdict.seconds:.0f} s, the longest {cycles.longest:.1f} s, "
        f"at most {cycles.longest_gap:.1f} s from the start of one to the next."
    )
    errors = ", ".join(f"{count} {outcome}" for outcome, count in sorted(verdict.errors.items())) or "none"
    console.print(f"Errors: {errors}")


def _spread(spread: Spread, decimals: int) -> str:
    if not spread.count:
        return ""
    return " / ".join(f"{seconds:.{decimals}f}" for seconds in (spread.p50, spread.p95, spread.most))


def _tier_table(verdict: Verdict) -> Table:
    table = Table(title="Syncs per tier; seconds p50 / p95 / max")
    for name in ("tier", "events", "syncs", "start minus due", "most in a cycle", "cap"):
        table.add_column(name, justify="left" if name == "tier" else "right")
    for figures in verdict.tiers:
        numbers = (str(figures.events), str(figures.syncs), _spread(figures.late, 1))
        table.add_row(figures.tier.value, *numbers, str(figures.picked_most), str(figures.cap))
    return table


def _high_table(verdict: Verdict) -> Table:
    """80 columns wide, as a log is."""
    table = Table(title="HIGH; seconds p50 / p95 / max")
    for name in ("keys", "events", "every", "start minus due", "sync to sync", "oldest"):
        table.add_column(name, justify="left" if name == "keys" else "right")
    for group in verdict.high:
        table.add_row(
            f"{group.keys} overloaded" if group.overloaded else f"{group.keys} in budget",
            str(group.events),
            f"{group.period:.0f}",
            _spread(group.late, 1),
            _spread(group.gaps, 0),
            f"{group.oldest:.0f}",
        )
    return table


def _key_table(verdict: Verdict) -> Table:
    table = Table(title="Calls per key, as the provider saw them")
    for name in ("partner", "calls", "busiest hour", "limit", "at once", "throttled"):
        table.add_column(name, justify="left" if name == "partner" else "right")
    for key in verdict.keys:
        numbers = (key.calls, key.busiest_hour, key.limit, key.most_at_once, key.throttled)
        table.add_row(key.name, *(str(number) for number in numbers))
    return table
