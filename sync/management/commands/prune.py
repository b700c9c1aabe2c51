"""manage.py prune: blank the contact data of events that are long over."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from rich.console import Console

from partners.audit import Action, audit_note, command_actor, entries_to_blank
from partners.gate import database_now
from races.models import Event, Participant
from races.retention import (
    Blanked,
    RetentionReport,
    events_to_blank,
    exports_to_delete,
    months_before,
    people_to_blank,
    retention_apply,
)
from sync.core.time_words import counted
from sync.management.terminal import console_on

INTERRUPTED = 130
LISTED = 15
LINE_EVERY = 3.0


class Command(BaseCommand):
    help = (
        "Blank contact data (email, phone, date of birth, street, zip code, amount paid, answers), its values in the "
        "history of changes, and RunSignUp's raw documents, of events that were over more than RETENTION_MONTHS ago. "
        "Names, bibs, places, gender, age and all counts stay. Runs every night by itself; Ctrl-C loses nothing, the "
        "same command goes on from there. Exit code 0: done; 2: a wrong argument; 130: interrupted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be blanked, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        console, now = console_on(self.stdout), database_now()
        months = settings.RETENTION_MONTHS
        events = events_to_blank(months=months, now=now)
        console.print(_what_for(months, now))
        if options["dry_run"]:
            _say_what_would_be(console, events, months=months, now=now)
            return
        number, people = events.count(), people_to_blank(events)
        # Before it begins: it works in many transactions, and one that is stopped was begun by somebody, too.
        detail = {"months": months, "events": number, "people": people}
        audit_note(action=Action.PRUNED, by=command_actor(), target=None, detail=detail, now=now)
        progress = _Progress(console, events=number, people=people)
        try:
            report = retention_apply(months=months, now=now, tell=progress.show)
        except KeyboardInterrupt:
            raise CommandError("Interrupted. The same command goes on from here.", returncode=INTERRUPTED) from None
        _say_what_was(console, report)


def _what_for(months: int, now: datetime) -> str:
    if not months:
        return "RETENTION_MONTHS is 0: everything is kept for ever."
    undated = Participant.objects.filter(event__starts_at=None).values("event_id").distinct().count()
    unknown = f" {counted(undated, 'event')} with people and without a date cannot count as over." if undated else ""
    before = months_before(now, months)
    return f"Contact data is kept for {counted(months, 'month')}: until {before:%Y-%m-%d} is long over.{unknown}"


def _say_what_would_be(console: Console, events: QuerySet[Event], *, months: int, now: datetime) -> None:
    number = events.count()
    console.print(
        f"{counted(number, 'event')} with {people_to_blank(events):,} people would be blanked, "
        f"{counted(exports_to_delete(months=months, now=now).count(), 'remembered export')} deleted. "
        "Nothing was changed."
    )
    if months and (lines := entries_to_blank(before=months_before(now, months)).count()):
        console.print(f"{counted(lines, 'audit line')} would not name the person any more.")
    for event in events.select_related("race").only("name", "starts_at", "provider_event_id", "race__name")[:LISTED]:
        console.print(f"  {event.starts_at:%Y-%m-%d}  {event.provider_event_id}  {event.name} of {event.race.name}")
    if number > LISTED:
        console.print(f"  … and {number - LISTED:,} more")


class _Progress:
    """A line every few seconds."""

    def __init__(self, console: Console, *, events: int, people: int) -> None:
        self.console = console
        self.events, self.people = events, people
        self._events_done = self._people_done = 0
        self._told = time.monotonic()

    def show(self, blanked: Blanked) -> None:
        self._events_done += blanked.done
        self._people_done += blanked.people
        now = time.monotonic()
        if now - self._told < LINE_EVERY:
            return
        self._told = now
        self.console.print(
            f"prune: {self._events_done:,} of {self.events:,} events, {self._people_done:,} of {self.people:,} people"
        )


def _say_what_was(console: Console, report: RetentionReport) -> None:
    console.print(
        f"{counted(report.events, 'event')} with {report.people:,} people blanked, {counted(report.changes, 'change')} "
        f"in their history, {counted(report.exports, 'remembered export')} deleted."
    )
    if report.audit:
        console.print(f"{counted(report.audit, 'audit line')} without the person from now on.")
    if report.reopened:
        console.print(
            f"{counted(report.reopened, 'event')} that had been blanked before are not long enough over any more: a "
            "backfill loads their contact data from RunSignUp again."
        )
