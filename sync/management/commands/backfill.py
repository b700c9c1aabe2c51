"""manage.py backfill: load all participants, also of past editions, and continue where it stopped."""

from __future__ import annotations

import signal
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from partners.audit import Action, audit_note, command_actor
from partners.gate import database_now
from sync.management.terminal import console_on
from sync.models import Backfill
from sync.services.backfill import (
    BackfillBusy,
    BackfillRunner,
    Progress,
    Report,
    Scope,
    backfill_claim,
    waiting_races,
)
from sync.services.leases import Fenced
from sync.services.policies import policy_now
from sync.services.provider_ids import NotFound, partner_by_slug, race_by_id

INTERRUPTED = 130
LISTED = 15
LINE_EVERY = 3.0


class Command(BaseCommand):
    help = (
        "Load the participants of all events, those of earlier years too, race by race. It stores a checkpoint after "
        "each page: Ctrl-C or a crash loses nothing, the same command goes on from there. It uses only calls that the "
        "races of today do not need. "
        "Exit code 0: everything loaded; 1: a race could not be loaded; 2: a wrong argument; 130: interrupted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--partner", metavar="SLUG", help="only the races of this timing partner")
        parser.add_argument(
            "--race", metavar="ID", type=int, help="only this race, by RunSignUp's number such as 974559"
        )
        parser.add_argument(
            "--since", metavar="DATE", type=_day, help="leave out events that started before this day (YYYY-MM-DD)"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be loaded, call nobody")
        parser.add_argument("--restart", action="store_true", help="forget the checkpoints and load everything again")

    def handle(self, *args: Any, **options: Any) -> None:
        console = console_on(self.stdout)
        scope = _scope(options)
        if options["dry_run"]:
            _say_what_would_be(console, scope)
            return
        try:
            backfill = _claimed(scope, restart=options["restart"], now=database_now())
        except BackfillBusy as busy:
            raise CommandError(str(busy), returncode=1) from None
        # SIGTERM ends it like Ctrl-C: at the next page, with everything stored.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            report = backfill_show(console, backfill)
        except KeyboardInterrupt:
            again = "The same command without --restart" if options["restart"] else "The same command"
            raise CommandError(f"Interrupted. {again} goes on from here.", returncode=INTERRUPTED) from None
        except Fenced:
            raise CommandError("Another process took this backfill over and goes on with it.", returncode=1) from None
        _say_what_was(console, report)


def _claimed(scope: Scope, *, restart: bool, now: datetime) -> Backfill:
    """Raises BackfillBusy."""
    detail = {"since": str(scope.since)} if scope.since else {}
    with transaction.atomic():
        backfill = backfill_claim(scope, restart=restart, now=now)
        target = scope.race or scope.partner
        detail |= {"restart": "yes"} if restart else {}
        audit_note(action=Action.BACKFILL_STARTED, by=command_actor(), target=target, detail=detail, now=now)
    return backfill


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a date. Write it as 2026-05-31.") from None


def _scope(options: dict[str, Any]) -> Scope:
    slug, race_id, since = options["partner"], options["race"], options["since"]
    if since is not None and since > database_now().date():
        raise CommandError(f"--since {since} lies ahead: nothing that started before it would be loaded.", returncode=2)
    if slug is not None and not slug.strip():
        raise CommandError("--partner is empty. Name a partner's slug, or leave the option out for all.", returncode=2)
    try:
        if race_id is not None:
            return Scope(race=race_by_id(race_id, partner=slug), since=since)
        return Scope(partner=partner_by_slug(slug) if slug else None, since=since)
    except NotFound as problem:
        raise CommandError(str(problem), returncode=2) from None


def _say_what_would_be(console: Console, scope: Scope) -> None:
    races = waiting_races(scope)
    console.print(f"{len(races)} races would be loaded, with at least {len(races)} calls. Nothing was called.")
    for race in races[:LISTED]:
        console.print(f"  {race.provider_race_id}  {race.name}", markup=False)
    if len(races) > LISTED:
        console.print(f"  … and {len(races) - LISTED} more")


def backfill_show(
    console: Console, backfill: Backfill, *, on_start: Callable[[BackfillRunner], object] = lambda _runner: None
) -> Report:
    """Run a claimed backfill with a progress bar, or plain lines without a terminal.

    `on_start` gets the runner before it runs, for whoever wants to stop it.
    """
    if not console.is_terminal:
        runner = BackfillRunner(backfill, tell=PlainLines(console).show, policy=policy_now())
        on_start(runner)
        return runner.run()
    bar = Bar(
        TextColumn("Backfill"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("races · {task.fields[people]:,} people · {task.fields[calls]} calls"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task("backfill", total=None, people=0, calls=0)

        def show(at: Progress) -> None:
            bar.update(task, total=at.races, completed=at.races_done, people=at.rows, calls=at.calls)
            if at.note:
                bar.print(at.note, markup=False)

        runner = BackfillRunner(backfill, tell=show, policy=policy_now())
        on_start(runner)
        return runner.run()


class PlainLines:
    """Progress without a terminal: a line every few seconds, and at once when there is something to say."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._told = 0.0

    def show(self, at: Progress) -> None:
        now = time.monotonic()
        if not at.note and at.races_done < at.races and now - self._told < LINE_EVERY:
            return
        self._told = now
        note = f" · {at.note}" if at.note else ""
        self.console.print(
            f"backfill: {at.races_done} of {at.races} races, {at.rows:,} people, {at.calls} calls{note}", markup=False
        )


def _say_what_was(console: Console, report: Report) -> None:
    console.print(
        f"{report.done} of {report.races} races loaded: {report.rows:,} people fetched, {report.added:,} new, "
        f"{report.changed:,} changed, {report.rejected:,} rejected, {report.calls} calls."
    )
    for problem in report.problems:
        console.print(f"  {problem}", markup=False)
    if report.done < report.races:
        raise CommandError(
            f"{report.races - report.done} races could not be loaded. The same command tries them again.", returncode=1
        )
