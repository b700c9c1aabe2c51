"""manage.py sync_now: one race or event, now, in this process."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from partners.audit import command_actor
from partners.gate import database_now
from sync.management.terminal import console_on, working
from sync.models import Outcome, SyncRun
from sync.services import sync_now
from sync.services.policies import policy_now
from sync.services.provider_ids import NotFound, race_or_event_by_id

GOOD = {Outcome.OK.value, Outcome.UNCHANGED.value}


class Command(BaseCommand):
    help = (
        "Sync a race, or one event of it, now, and say what came back. It spends the same call budget as everything "
        "else. Exit code 0: in sync; 1: it failed or may not run; 2: no such race or event."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="RACE|EVENT", type=int, help="RunSignUp's number of the race or event")
        parser.add_argument("--partner", metavar="SLUG", help="whose, when two partners have the same race")

    def handle(self, *args: Any, **options: Any) -> None:
        console = console_on(self.stdout)
        try:
            race, event = race_or_event_by_id(options["id"], partner=options["partner"])
        except NotFound as problem:
            raise CommandError(str(problem), returncode=2) from None
        try:
            with working(console, f"Syncing {race.name} …"):
                report = sync_now.run(
                    race=race,
                    by=command_actor(),
                    now=database_now(),
                    event_ids=[event.pk] if event else None,
                    policy=policy_now(),
                )
        except sync_now.NothingToSync as reason:
            raise CommandError(str(reason), returncode=1) from None
        if report.lane is None:
            console.print("The cluster is talking with this key right now and takes it over: look at the race page.")
            return
        for run in report.runs:
            console.print(_line(run), markup=False)
        if report.lane.stopped and not report.runs:
            raise CommandError(f"Not synced now: {report.lane.stopped}. It stays due.", returncode=1)
        if any(run.outcome not in GOOD for run in report.runs):
            raise CommandError("Not everything was synced: see above.", returncode=1)


def _line(run: SyncRun) -> str:
    counts = f"{run.fetched} fetched, +{run.added} ~{run.changed} -{run.removed}, {run.rejected} rejected"
    text = f": {run.error_text}" if run.error_text else ""
    return f"{run.event.name} ({run.event.provider_event_id}): {run.outcome}, {counts}, {run.calls} calls{text}"
