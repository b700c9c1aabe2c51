"""A simulation as the command line shows it: the table, and the JSON for programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from sync.simulation.report import KeyReport, Report

# The keys that matter most on a race day; the JSON has all of them.
KEYS_SHOWN = 15


def report_json(report: Report, *, policy: str, seed: int) -> dict[str, Any]:
    """{"world", "policy", "seed", "syncs", "high_syncs", "gap_seconds", "low_wait_max_seconds", "keys"}"""
    return {
        "world": report.world,
        "policy": policy,
        "seed": seed,
        "syncs": report.syncs,
        "high_syncs": {"mean": _rounded(report.high_syncs_mean), "min": report.high_syncs_min},
        "gap_seconds": {
            "p50": _rounded(report.gap_p50),
            "p95": _rounded(report.gap_p95),
            "max": _rounded(report.gap_max),
        },
        "low_wait_max_seconds": _rounded(report.low_wait),
        "keys": [
            {
                "key": key.name,
                "over_budget": key.over_budget,
                "wanted_per_hour": _rounded(key.wanted),
                "busiest_hour": key.busiest_hour,
                "high_syncs_min": key.high_syncs_min,
                "gap_max": _rounded(key.gap_max),
            }
            for key in report.keys
        ],
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 2)


def report_show(console: Console, report: Report, *, planned: int, day: int) -> None:
    """`planned`: syncs of one event in its HIGH hours; `day`: in its whole last day."""
    table = Table("what", "number", "what it means")
    if report.syncs is not None:
        table.add_row("syncs of the one event", f"{report.syncs} of {day}", "from 24 h before its start to 1 h after")
    if report.high:
        syncs = f"{report.high_syncs_mean:.0f} / {report.high_syncs_min} of {planned}"
        table.add_row("HIGH syncs, mean / least", syncs, _events(len(report.high)) + ", 4 h before to 1 h after start")
        gaps = " / ".join(_seconds(gap) for gap in (report.gap_p50, report.gap_p95, report.gap_max))
        table.add_row("gap p50 / p95 / longest", gaps, "how old a HIGH list gets before it is fetched again")
    else:
        table.add_row("HIGH syncs", "none", "no event has all of its HIGH hours in this time")
    table.add_row("LOW's longest wait", _seconds(report.low_wait), "events more than 24 h before their start")
    console.print(table, soft_wrap=False)
    _keys_show(console, report)


def _keys_show(console: Console, report: Report) -> None:
    table = Table("key", "wanted", "made", "limit", "HIGH syncs", "longest gap", "verdict")
    for key in sorted(report.keys, key=lambda key: -key.wanted)[:KEYS_SHOWN]:
        table.add_row(
            key.name,
            f"{key.wanted:,.0f}",
            f"{key.busiest_hour:,}",
            f"{key.limit:,}",
            "none" if key.high_syncs_min is None else str(key.high_syncs_min),
            _seconds(key.gap_max),
            _verdict(key),
        )
    console.print(table, soft_wrap=False)
    console.print("wanted: the most calls an hour that its races ask for; made: the most calls in any 3,600 seconds;")
    console.print("HIGH syncs: of the event that got the fewest. A key that is asked for too much is stretched.")
    if (more := len(report.keys) - KEYS_SHOWN) > 0:
        console.print(f"{more} smaller keys: see --json.")


def _verdict(key: KeyReport) -> str:
    if key.busiest_hour > key.limit:
        return "ABOVE ITS LIMIT"
    return "asked for too much" if key.over_budget else "fits"


def _events(number: int) -> str:
    return f"{number:,} event" if number == 1 else f"{number:,} events"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "none"
    return f"{seconds:.0f} s" if seconds < 600 else str(timedelta(seconds=round(seconds))) + " h"
