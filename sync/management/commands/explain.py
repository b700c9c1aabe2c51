"""manage.py explain: why an event is or is not synced, and what would have to change."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from partners.gate import database_now
from sync.core.explanation import Line, explanation, run_texts
from sync.core.explanation_past import around_texts, past_explanation
from sync.core.tiers import zone_of
from sync.core.time_words import Clock
from sync.management.race_moment import race_moment
from sync.management.terminal import console_on
from sync.services.explain import event_facts, past_facts
from sync.services.policies import policy_now
from sync.services.provider_ids import NotFound, event_by_id

LABEL_WIDTH = 11


class Command(BaseCommand):
    help = (
        "Say on one screen why an event is or is not synced: its tier and due time, what the planner decides now and "
        "why, its key's calls and pace, the scheduler, the last runs, and what would have to change. Times are the "
        "race's, UTC beside them. Nothing is changed. Exit code 0: explained; 2: no such event, or a wrong argument."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("event", metavar="EVENT", type=int, help="RunSignUp's number of the event")
        parser.add_argument("--partner", metavar="SLUG", help="whose, when two partners have the same event")
        parser.add_argument(
            "--at",
            metavar="TIME",
            help="explain an earlier moment from what is recorded: HH:MM of today, or an ISO time such as "
            "2026-06-06T02:50, both in the race's zone unless an offset is given",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = database_now()
        try:
            event = event_by_id(options["event"], partner=options["partner"])
        except NotFound as problem:
            raise CommandError(str(problem), returncode=2) from None
        zone = zone_of(event.race.timezone)
        clock = Clock(zone=zone, now=now, with_utc=True)
        at = race_moment(options["at"], zone=zone, now=now) if options["at"] is not None else None
        console = console_on(self.stdout)
        console.print(
            f"{event.name} ({event.provider_event_id}) of {event.race.name} ({event.race.provider_race_id}), "
            f"{event.race.partner} ({event.race.partner.slug})"
        )
        policy = policy_now()
        facts = event_facts(event=event, now=now, policy=policy)
        if at is None:
            _print(console, explanation(facts, clock=clock, policy=policy))
            _print_runs(console, "Last runs", run_texts(facts.runs, clock=clock))
        else:
            past = past_facts(event=event, at=at, now=now, policy=policy)
            _print(console, past_explanation(facts, past, clock=clock, policy=policy))
            _print_runs(console, "Runs around it", around_texts(past, clock=clock))


def _print(console: Console, lines: tuple[Line, ...]) -> None:
    for line in lines:
        console.print(f"{line.label:<{LABEL_WIDTH}}{line.text}", markup=False)


def _print_runs(console: Console, title: str, texts: tuple[str, ...]) -> None:
    console.print(title if texts else f"{title}: none")
    for text in texts:
        console.print(f"  {text}", markup=False)
