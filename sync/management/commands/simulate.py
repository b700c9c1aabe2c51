from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress as Bar

from partners.gate import database_now
from sync.core.policy import DEFAULT_POLICY, Policy, Tier
from sync.management.simulation_terminal import report_json, report_show
from sync.management.terminal import console_on
from sync.services.policies import policy_now
from sync.services.simulation_world import simulation_world
from sync.simulation.history import Progress
from sync.simulation.picture import sparkline, svg
from sync.simulation.report import report_of, syncs_over_time
from sync.simulation.run import LATENCY, Way, simulate
from sync.simulation.world import World
from sync.simulation.worlds import NAMES, NoSuchWorld, Size, build

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
BUCKETS = 60
SEED_DAYS, DATABASE_DAYS, MOST_DAYS = 7.0, 1.0, 366.0


class Command(BaseCommand):
    help = (
        "Run the production scheduler under a virtual clock and say what it would reach. Worlds: "
        "one-event (the last day of one event among 644), seed (a week of 13 keys with 644 events), saturday (120 "
        "events start at once), or --from-db: what is scheduled here, from --at on, under the policy in force here and "
        "with the calls an hour that each key may make now. Makes no call. "
        "Exit code 0: done; 2: it cannot be simulated as asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("world", metavar="WORLD", nargs="?", help=", ".join(NAMES))
        parser.add_argument(
            "--policy", choices=[way.value for way in Way], default=Way.PROJECT88.value, help="(default: project88)"
        )
        parser.add_argument("--events", metavar="N", type=int, help="events of the world (default: 644)")
        parser.add_argument("--keys", metavar="K", type=int, help="keys that share them (default: 13)")
        parser.add_argument("--limit", metavar="L", type=int, help="calls an hour of each key (default: 1000)")
        parser.add_argument("--latency", metavar="S", type=float, default=LATENCY, help="seconds a call (default: 1.5)")
        parser.add_argument("--seed", metavar="N", type=int, default=1, help="the same seed gives the same world")
        parser.add_argument("--days", metavar="N", type=float, help="length of seed (default: 7) or --from-db (1)")
        parser.add_argument("--from-db", action="store_true", help="the races, keys and policy of this database")
        parser.add_argument("--at", metavar="TIME", help='with --from-db: "Saturday 04:00" or ISO, in UTC')
        parser.add_argument("--json", action="store_true", help="the figures for programs")
        parser.add_argument("--svg", metavar="FILE", type=Path, help="write a picture of the syncs over time")

    def handle(self, *args: Any, **options: Any) -> None:
        way = Way(options["policy"])
        try:
            _check(options)
            policy = policy_now() if options["from_db"] else DEFAULT_POLICY
            world = _from_database(options) if options["from_db"] else _built_in(options)
        except NoSuchWorld as problem:
            raise CommandError(str(problem), returncode=2) from None
        if options["svg"]:
            # Before the work: a minute of simulating for a file that cannot be written is a minute lost.
            _write(options["svg"], "")
        console = console_on(self.stdout)
        with _progress(f"{world.name}, {way}") as progress:
            history = simulate(world, way, latency=options["latency"], policy=policy, progress=progress)
        report = report_of(world, history, policy=policy)
        bucket, counts = syncs_over_time(world, history, buckets=BUCKETS)
        if options["svg"]:
            title, caption = _words(world, way, bucket)
            _write(options["svg"], svg(counts, begins=world.begins, bucket=bucket, title=title, caption=caption))
        if options["json"]:
            console.print(json.dumps(report_json(report, policy=way.value, seed=options["seed"]), indent=2))
            return
        planned = _planned(Tier.HIGH, policy)
        console.print(f"World {world.name}, policy {way}: {_span(world)}, {len(world.events):,} events.")
        report_show(console, report, planned=planned, day=planned + _planned(Tier.MEDIUM, policy))
        console.print(f"Syncs over time, a block is {_minutes(bucket)}:\n{sparkline(counts)}")


def _check(options: dict[str, Any]) -> None:
    """Raises NoSuchWorld for what cannot be, with what would be possible."""
    for name in ("events", "keys", "limit", "latency", "seed", "days"):
        value = options[name]
        if value is not None and not 0 <= value < float("inf"):
            raise NoSuchWorld(f"--{name} {value} is not possible: it must be a number from 0 on.")
    if options["days"] is not None and not 0 < options["days"] <= MOST_DAYS:
        raise NoSuchWorld(f"--days {options['days']:g} is not possible: from a part of a day up to {MOST_DAYS:g} days.")
    if options["limit"] is not None and options["limit"] < 2:
        raise NoSuchWorld(f"A limit of {options['limit']} calls an hour cannot be kept: it must be at least 2.")
    if options["from_db"]:
        given = [f"--{name}" for name in ("events", "keys") if options[name] is not None]
        if options["world"]:
            given.append(options["world"])
        if given:
            raise NoSuchWorld(f"--from-db takes its world from the database: leave {', '.join(given)} away.")
    elif options["at"]:
        raise NoSuchWorld("--at belongs to --from-db: the built-in worlds have their own time.")
    elif options["days"] and options["world"] != "seed":
        raise NoSuchWorld("--days belongs to the world seed and to --from-db: the others have their own length.")


def _built_in(options: dict[str, Any]) -> World:
    name = options["world"]
    if name is None:
        raise NoSuchWorld(f"Say which world: {', '.join(NAMES)}, or --from-db for what is scheduled here.")
    given = {part: options[part] for part in ("events", "keys", "limit", "seed") if options[part] is not None}
    return build(name, Size(**given), days=options["days"] or SEED_DAYS)


def _from_database(options: dict[str, Any]) -> World:
    now = database_now()
    begins = moment_of(options["at"], now=now) if options["at"] else now
    ends = begins + timedelta(days=options["days"] or DATABASE_DAYS)
    world = simulation_world(begins=begins, ends=ends, limit=options["limit"])
    if not world.events:
        raise NoSuchWorld("No race is scheduled here from then on: manage.py onboard and discover bring some.")
    return world


def moment_of(words: str, *, now: datetime) -> datetime:
    """ "Saturday 04:00" (the next one, UTC) or an ISO time (UTC unless it says otherwise). Raises NoSuchWorld."""
    day, _, clock = words.strip().partition(" ")
    try:
        if day.lower() in WEEKDAYS:
            # strptime, and not time.fromisoformat: "04:00+02:00" would be a time of another zone.
            at = datetime.strptime(clock.strip(), "%H:%M").replace(tzinfo=UTC).time()
            ahead = (WEEKDAYS.index(day.lower()) - now.astimezone(UTC).weekday()) % 7
            found = datetime.combine(now.astimezone(UTC).date() + timedelta(days=ahead), at, UTC)
            return found if found >= now else found + timedelta(weeks=1)
        moment = datetime.fromisoformat(words.strip())
        found = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise NoSuchWorld(
            f'--at "{words}" cannot be read: write "Saturday 04:00" or "2026-06-06T04:00", in UTC.'
        ) from None
    if not 1970 <= found.year < 2200:
        raise NoSuchWorld(f'--at "{words}" lies too far away: use a time between 1970 and 2200.')
    return found


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"The picture cannot be written to {path}: {error.strerror}.", returncode=2) from None


@contextmanager
def _progress(doing: str) -> Iterator[Progress]:
    """A bar at a terminal; on stderr, so that --json stays JSON."""
    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, total=1.0)
        yield lambda part: bar.update(task, completed=part)


def _planned(tier: Tier, policy: Policy) -> int:
    rule, ends = policy.rule(tier), policy.after_start
    lead = rule.lead or timedelta(0)
    span = lead + ends if tier is Tier.HIGH else lead - (policy.high.lead or timedelta(0))
    return span // rule.period


def _words(world: World, way: Way, bucket: timedelta) -> tuple[str, str]:
    what = "of the one event" if world.counted_event is not None else f"of {len(world.events):,} events"
    title = f"Syncs {what} by tier: world {world.name}, policy {way}"
    return title, f"{_span(world)}. One bar is {_minutes(bucket)}; its height is the number of syncs begun in it."


def _span(world: World) -> str:
    return f"{world.begins:%a %Y-%m-%d %H:%M} to {world.ends:%a %Y-%m-%d %H:%M} UTC"


def _minutes(bucket: timedelta) -> str:
    minutes = bucket / timedelta(minutes=1)
    return f"{minutes:g} min" if minutes < 60 else f"{minutes / 60:.1f} h"
