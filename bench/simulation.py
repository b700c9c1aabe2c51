"""The built-in worlds under each policy: what it reaches, and what a simulation costs."""

from __future__ import annotations

import time

from rich.console import Console
from rich.table import Table

from sync.core.policy import DEFAULT_POLICY
from sync.simulation.report import Report, report_of
from sync.simulation.run import Way, simulate
from sync.simulation.worlds import NAMES, Size, build


def simulation_bench() -> None:
    table = Table("world", "policy", "syncs of the one", "HIGH mean / least", "gap p50 / p95 / max (s)", "run time (s)")
    for name in NAMES:
        for way in Way:
            world = build(name, Size())
            begun = time.perf_counter()
            history = simulate(world, way)
            seconds = time.perf_counter() - begun
            report = report_of(world, history, policy=DEFAULT_POLICY)
            syncs = "" if report.syncs is None else str(report.syncs)
            table.add_row(name, way, syncs, _high(report), _gaps(report), f"{seconds:.1f}")
    Console(soft_wrap=False).print(table)


def _high(report: Report) -> str:
    return f"{report.high_syncs_mean:.1f} / {report.high_syncs_min}"


def _gaps(report: Report) -> str:
    return " / ".join("" if gap is None else f"{gap:.0f}" for gap in (report.gap_p50, report.gap_p95, report.gap_max))
