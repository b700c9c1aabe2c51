"""manage.py forecast: what each key will be asked for, and what will be late, before it happens."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from partners.gate import database_now
from sync.core.forecast import LOWER_BOUND, Interval
from sync.core.policy import Tier
from sync.core.time_words import counted
from sync.management.terminal import console_on
from sync.services.forecast import DAYS, KeyOutlook, outlooks
from sync.services.policies import policy_now
from sync.services.provider_ids import NotFound, partner_by_slug

MOST_DAYS = 366
SENTENCES_SHOWN = 10


class Command(BaseCommand):
    help = """\
Say for each key how many calls its races will want in the next days, when its busiest hour is, and what will be late
because it wants more than it may have. The tier changes of known events are known in advance, so this is exact for
them; events that are not known yet come on top. The busiest hour is the clock hour, in the partner's zone, that wants
most calls on average. green: up to 83 % of what the key can sustain at any moment; yellow: up to all of it; red: more.
Exit code 0: done, whatever the colour; 2: a wrong argument.

--json prints one object:
  generated_at, begins, ends   ISO times in UTC
  lower_bound                  always true: unknown events come on top
  keys[]                       partner (slug), key (label), timezone, events, limit, usable, rate (now), blocked (why
                               it makes no call now, or ""), colour, sentences[],
                               busiest_hour {begins, ends, wanted}: calls wanted in it,
                               intervals[] {begins, ends, wanted_per_hour, usable_per_hour, colour,
                               races {HIGH, MEDIUM, LOW}, high_period_seconds}"""

    def create_parser(self, *args: Any, **options: Any) -> Any:
        return super().create_parser(*args, **options, formatter_class=RawDescriptionHelpFormatter)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--partner", metavar="SLUG", help="only the keys of this timing partner (default: all)")
        parser.add_argument(
            "--days", metavar="N", type=_days, default=DAYS, help="how far to look ahead (default: %(default)s)"
        )
        parser.add_argument("--json", action="store_true", help="print JSON for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["partner"]
        try:
            partner = None if slug is None else partner_by_slug(slug)
        except NotFound as problem:
            raise CommandError(str(problem), returncode=2) from None
        now = database_now()
        found = outlooks(now=now, partner=partner, days=options["days"], policy=policy_now())
        if options["json"]:
            self.stdout.write(json.dumps(_document(found, now=now), indent=1))
        else:
            _show(console_on(self.stdout), found, days=options["days"])


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_DAYS:
        raise ArgumentTypeError(f"{text!r} is not a number of days from 1 to {MOST_DAYS}.")
    return int(text)


def _show(console: Console, found: tuple[KeyOutlook, ...], *, days: int) -> None:
    if not found:
        console.print("There is no key yet. Store one: manage.py onboard NAME --api-key KEY")
        return
    width = max(len(str(outlook.credential)) for outlook in found)
    console.print(f"The next {counted(days, 'day')}, each key in its partner's zone.")
    console.print(f"{'KEY':<{width}}  COLOUR  BUSIEST HOUR")
    for outlook in found:
        console.print(
            f"{outlook.credential!s:<{width}}  {outlook.forecast.colour:<6}  {outlook.busiest} "
            f"({outlook.forecast.usable:,.0f} of {outlook.forecast.limit:,} an hour usable; "
            f"{counted(outlook.events, 'event')})"
        )
        for line in _notes(outlook):
            console.print(f"{'':<{width}}  {line}")
    console.print(LOWER_BOUND)


def _notes(outlook: KeyOutlook) -> list[str]:
    notes = list(outlook.sentences[:SENTENCES_SHOWN])
    if (more := len(outlook.sentences) - SENTENCES_SHOWN) > 0:
        notes.append(f"and {counted(more, 'time')} more, see --json")
    if outlook.blocked:
        notes.append(f"It makes no call now: {outlook.blocked}.")
    elif outlook.rate < outlook.forecast.limit:
        notes.append(f"Right now RunSignUp has slowed it down to {outlook.rate:,} calls an hour.")
    return notes


def _document(found: tuple[KeyOutlook, ...], *, now: datetime) -> dict[str, Any]:
    ends = [outlook.forecast.ends for outlook in found]
    return {
        "generated_at": _iso(now),
        "begins": _iso(now),
        "ends": _iso(ends[0]) if ends else None,
        "lower_bound": True,
        "keys": [_key(outlook) for outlook in found],
    }


def _key(outlook: KeyOutlook) -> dict[str, Any]:
    coming = outlook.forecast
    busiest = coming.busiest
    return {
        "partner": outlook.credential.partner.slug,
        "key": outlook.credential.label,
        "timezone": outlook.zone.key,
        "events": outlook.events,
        "limit": coming.limit,
        "usable": round(coming.usable, 1),
        "rate": outlook.rate,
        "blocked": outlook.blocked,
        "colour": coming.colour.value,
        "sentences": list(outlook.sentences),
        "busiest_hour": {
            "begins": _iso(busiest.begins),
            "ends": _iso(busiest.ends),
            "wanted": round(busiest.wanted, 1),
        },
        "intervals": [_interval(interval) for interval in coming.intervals],
    }


def _interval(interval: Interval) -> dict[str, Any]:
    demand = interval.demand
    return {
        "begins": _iso(interval.begins),
        "ends": _iso(interval.ends),
        "wanted_per_hour": round(interval.wanted, 1),
        "usable_per_hour": round(interval.pace.usable, 1),
        "colour": interval.colour.value,
        "races": {Tier.HIGH.value: demand.high, Tier.MEDIUM.value: demand.medium, Tier.LOW.value: demand.low},
        "high_period_seconds": round(interval.high_period.total_seconds(), 1),
    }


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
