"""manage.py receipt: what the last hours of an event came to, against what was planned."""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from partners.gate import database_now
from races.models import Event
from sync.core.policy import Policy
from sync.core.receipt import DayFigures, Gap, Receipt, begins_at, gap_text, receipt_text
from sync.core.tiers import zone_of
from sync.core.time_words import Clock
from sync.management.terminal import console_on
from sync.services.event_schedule import window_of
from sync.services.policies import policy_now
from sync.services.provider_ids import NotFound, event_by_id
from sync.services.receipt import event_receipt


class Command(BaseCommand):
    help = """\
Say what the last hours of an event came to, from 24 hours before its start until an hour after it: syncs planned and
done, the longest gap with when and why, the last change. Of an event that is not over: so far. The longest gap is the
one that lacked most of the planned syncs: 74 s where every minute was planned is more than 305 s where every 5 minutes.
Times are the race's. Nothing is changed. Exit code 0: said; 1: there is nothing to say yet, or nothing was recorded; 2:
no such event, or a wrong argument.

--json prints one object:
  event, race, partner   RunSignUp's numbers, and the partner's slug
  name, race_name, timezone
  starts_at, begins, ends, as_of   ISO times in UTC; begins and ends: of the last hours
  is_over                whether they had ended at as_of
  planned, planned_in_all, done, failed   syncs; planned until as_of, planned_in_all to the end
  longest_gap            {seconds, at, cause}, or null
  last_change            ISO time or null
  days[]                 {day, planned, done, failed, longest_gap, last_change}: race-local days, planned to their end
  text                   the sentence"""

    def create_parser(self, *args: Any, **options: Any) -> Any:
        return super().create_parser(*args, **options, formatter_class=RawDescriptionHelpFormatter)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("event", metavar="EVENT", type=int, help="RunSignUp's number of the event")
        parser.add_argument("--partner", metavar="SLUG", help="whose, when two partners have the same event")
        parser.add_argument("--json", action="store_true", help="print JSON for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            event = event_by_id(options["event"], partner=options["partner"])
        except NotFound as problem:
            raise CommandError(str(problem), returncode=2) from None
        now, policy = database_now(), policy_now()
        clock = Clock(zone=zone_of(event.race.timezone), now=now)
        receipt = event_receipt(event=event, now=now, policy=policy)
        if receipt is None:
            raise CommandError(nothing_text(event, clock=clock, policy=policy), returncode=1)
        if options["json"]:
            self.stdout.write(json.dumps(_document(event, receipt, clock=clock), indent=1))
        else:
            _show(console_on(self.stdout), event, receipt, clock=clock)


def nothing_text(event: Event, *, clock: Clock, policy: Policy) -> str:
    window = window_of(event)
    if window is None:
        return "There is no receipt: RunSignUp gives the event no usable start."
    begins = begins_at(window, policy=policy)
    if begins > clock.now:
        return f"There is no receipt yet: its last hours begin at {clock.text(begins)}."
    return "There is no receipt: nothing of its last hours is recorded."


def _show(console: Console, event: Event, receipt: Receipt, *, clock: Clock) -> None:
    race = event.race
    console.print(
        f"{event.name} ({event.provider_event_id}) of {race.name} ({race.provider_race_id}), "
        f"{race.partner} ({race.partner.slug})"
    )
    console.print(receipt_text(receipt, clock=clock))
    console.print(f"Last hours {clock.text(receipt.begins)} – {clock.text(receipt.ends)}")
    for day in receipt.days:
        gap = gap_text(day.gap, day.gap_cause, clock=clock)
        failed = f", failed {day.failed:,}" if day.failed else ""
        console.print(f"{day.part.day:%a} {day.part.day}  planned {day.planned:,}, done {day.done:,}{failed}, {gap}")


def _document(event: Event, receipt: Receipt, *, clock: Clock) -> dict[str, Any]:
    race = event.race
    return {
        "event": event.provider_event_id,
        "race": race.provider_race_id,
        "partner": race.partner.slug,
        "name": event.name,
        "race_name": race.name,
        "timezone": zone_of(race.timezone).key,
        "starts_at": _iso(event.starts_at),
        "begins": _iso(receipt.begins),
        "ends": _iso(receipt.ends),
        "as_of": _iso(receipt.as_of),
        "is_over": receipt.is_over,
        "planned": receipt.planned,
        "planned_in_all": receipt.planned_in_all,
        "done": receipt.done,
        "failed": receipt.failed,
        "longest_gap": _gap(receipt.gap, receipt.gap_cause),
        "last_change": _iso(receipt.last_change),
        "days": [_day(day) for day in receipt.days],
        "text": receipt_text(receipt, clock=clock),
    }


def _day(day: DayFigures) -> dict[str, Any]:
    return {
        "day": day.part.day.isoformat(),
        "planned": day.planned,
        "done": day.done,
        "failed": day.failed,
        "longest_gap": _gap(day.gap, day.gap_cause),
        "last_change": _iso(day.last_change),
    }


def _gap(gap: Gap | None, cause: str) -> dict[str, Any] | None:
    if gap is None:
        return None
    return {"seconds": round(gap.length.total_seconds(), 1), "at": _iso(gap.begins), "cause": cause}


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
