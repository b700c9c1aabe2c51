"""What the demo says at its end: figures per tier and key, and whether promise and truth held."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from sync.demo.promise import Verdict
from sync.demo.truth import Comparison

DIFFERENCES_SHOWN = 10


def summary_print(console: Console, verdict: Verdict, comparison: Comparison | None) -> None:
    console.print(_tier_table(verdict))
    console.print(_key_table(verdict))
    errors = ", ".join(f"{count} {outcome}" for outcome, count in sorted(verdict.errors.items())) or "none"
    console.print(f"Errors: {errors}")
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


def _tier_table(verdict: Verdict) -> Table:
    table = Table(title="Syncs per tier; lateness in seconds")
    for name in ("tier", "events", "syncs", "p50", "p95", "max", "oldest list"):
        table.add_column(name, justify="left" if name == "tier" else "right")
    for figures in verdict.tiers:
        late = [f"{seconds:.1f}" for seconds in figures.lateness]
        oldest = f"{figures.longest_gap:.0f} s" if figures.longest_gap else ""
        table.add_row(figures.tier.value, str(figures.events), str(figures.syncs), *late, oldest)
    return table


def _key_table(verdict: Verdict) -> Table:
    table = Table(title="Calls per key, as the provider saw them")
    for name in ("partner", "calls", "busiest hour", "limit", "at once", "throttled"):
        table.add_column(name, justify="left" if name == "partner" else "right")
    for key in verdict.keys:
        numbers = (key.calls, key.busiest_hour, key.limit, key.most_at_once, key.throttled)
        table.add_row(key.name, *(str(number) for number in numbers))
    return table
