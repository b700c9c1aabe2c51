"""manage.py cycle: one cycle in this process, lanes included."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from partners.gate import database_now
from partners.models import Credential
from sync.core.planning import Verdict
from sync.core.tiers import Tier
from sync.management.terminal import console_on
from sync.models import Outcome
from sync.services.cycles import CycleReport, cycle_run
from sync.services.lanes import lane_run
from sync.services.policies import policy_now

GOOD = {Outcome.OK.value, Outcome.UNCHANGED.value}


class Command(BaseCommand):
    help = (
        "Run one cycle now and its lanes in this process, and say what was due, what was done and what had to wait. "
        "For looking at the scheduler without a cluster; it is safe beside a running one. "
        "Exit code 0: done; 1: another cycle runs, or a sync failed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        console = console_on(self.stdout)
        policy = policy_now()
        report = cycle_run(now=database_now(), call_lanes=False, policy=policy)
        if report is None:
            raise CommandError("Another cycle is running this very moment. Try again.", returncode=1)
        for line in _lines(report):
            console.print(line, markup=False)
        failed = 0
        for credential in Credential.objects.filter(pk__in=report.credentials).select_related("partner"):
            lane = lane_run(credential_id=credential.pk, policy=policy)
            if lane is None:
                console.print(f"{credential}: a lane of the cluster is at it.", markup=False)
                continue
            outcomes = Counter(str(outcome) for outcome in lane.outcomes)
            failed += sum(count for outcome, count in outcomes.items() if outcome not in GOOD)
            shown = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "nothing left"
            stopped = f"; stopped: {lane.stopped}" if lane.stopped else ""
            console.print(f"{credential}: {lane.visits} visits, {lane.calls} calls: {shown}{stopped}", markup=False)
        if failed:
            raise CommandError(f"{failed} syncs did not end well: see above and the history of runs.", returncode=1)


def _lines(report: CycleReport) -> list[str]:
    lines = []
    for tier in Tier:
        name = tier.value.lower()
        due, picked = getattr(report.cycle, f"{name}_due"), getattr(report.cycle, f"{name}_picked")
        lines.append(f"{tier:<6} {due} due, {picked} picked")
    reasons = Counter(
        f"{decision.verdict.value}: {decision.reason}"
        for decision in report.decisions
        if decision.verdict is not Verdict.RUN
    )
    lines += [f"  {count} × {reason}" for reason, count in reasons.most_common(10)]
    if report.lost:
        lines.append(f"{report.lost} runs of a dead lane were closed as lost.")
    return lines
