"""`manage.py sandbox`: the emulator of RunSignUp as a process of its own."""

from __future__ import annotations

import argparse
import errno
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from partners.runsignup.sandbox import SandboxServer, World
from partners.runsignup.sandbox.worlds import DEFAULT, WORLDS

SIZES = ("keys", "races", "events", "participants")


class Command(BaseCommand):
    help = (
        "Answer like the RunSignUp API, on this machine only, for invented races and people. Point RUNSIGNUP_URL to "
        "the address it prints. The same --seed and --anchor always make the same world; --life lets people register, "
        "switch and withdraw in it. Truth and ledger can be asked under /sandbox/. Ctrl-C stops it."
    )
    # It touches neither the database nor the settings that the checks are about.
    requires_system_checks = []  # type: ignore[assignment]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--port", type=_whole(0, 65_535), default=8089, help="port on 127.0.0.1, 0 for any free one (default: 8089)"
        )
        parser.add_argument(
            "--seed", type=int, default=1, help="another seed makes other races and people (default: 1)"
        )
        parser.add_argument(
            "--world",
            choices=list(WORLDS),
            default=DEFAULT,
            help="morning: 25 events of 150 start soon; saturday: 120 of 644 do, a call takes 1.5 s, and one key wants "
            "more calls than it may make (default: morning)",
        )
        parser.add_argument("--keys", type=_whole(1, 10_000), help="API keys, one per timing partner (default: 13)")
        parser.add_argument("--races", type=_whole(1, 100_000), help="races of all keys (default: 60)")
        parser.add_argument(
            "--events", type=_whole(1, 500_000), help="events still to come, 1 to 5 a race (default: 150)"
        )
        parser.add_argument("--participants", type=_whole(0, 5_000_000), help="people in all events (default: 20000)")
        parser.add_argument(
            "--hourly-limit", type=_whole(1, 1_000_000), default=1000, help="calls an hour of a key (default: 1000)"
        )
        parser.add_argument(
            "--latency", type=_seconds, metavar="SECONDS", help="how long every call takes (default: 0; saturday: 1.5)"
        )
        parser.add_argument(
            "--life", type=_seconds, default=0.0, metavar="CHANGES_PER_MINUTE", help="how much happens (default: 0)"
        )
        parser.add_argument(
            "--anchor",
            type=_moment,
            default=None,
            metavar="ISO TIME",
            help="the moment that starts are spread around, such as 2026-06-06T10:00Z (default: now)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            world = _build(options)
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped before the world was ready.", returncode=130) from None
        latency = WORLDS[options["world"]].latency if options["latency"] is None else options["latency"]
        server = SandboxServer(world, port=options["port"], latency=latency, life=options["life"])
        stopping = threading.Event()
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, lambda *_: stopping.set()) for number in signals}
        try:
            self._start(server, options["port"])
            self._greet(server, options["life"])
            stopping.wait()
        finally:
            server.stop()
            for number, handler in before.items():
                signal.signal(number, handler)
        self.stdout.write("The sandbox has stopped.")

    def _start(self, server: SandboxServer, port: int) -> None:
        try:
            server.start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CommandError(
                    f"Port {port} is in use: perhaps by another sandbox. Take another --port."
                ) from error
            raise CommandError(f"Port {port} cannot be used: {error.strerror}.") from error

    def _greet(self, server: SandboxServer, life: float) -> None:
        world = server.world
        first = world.key_list()[0]
        active = sum(registration.is_active for registration in world.registrations.values())
        self.stdout.write(
            f"The sandbox answers at {server.url}\n"
            f"  {len(world.keys)} keys, {len(world.races)} races, {len(world.events)} events, {active:,} people; "
            f"{life:g} changes a minute\n"
            f"  RUNSIGNUP_URL={server.url}\n"
            f"  first key: {first['key']}  secret: {first['secret']}   all: {server.root}/sandbox/keys\n"
            "  Ctrl-C stops it."
        )
        self.stdout.flush()


def _build(options: dict[str, Any]) -> World:
    """Raises ValueError with a sentence for sizes that this world cannot have."""
    kind = WORLDS[options["world"]]
    asked = {name: options[name] for name in SIZES if options[name] is not None}
    for name in asked:
        if name not in kind.sizes:
            raise ValueError(f"The world {options['world']} has its own number of {name}: leave out --{name}.")
    return kind.build(seed=options["seed"], anchor=options["anchor"], hourly_limit=options["hourly_limit"], **asked)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number.") from None
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{number} is not between {least} and {most}.")
        return number

    return read


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number.") from None
    if not 0 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1000000.")
    return number


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO time, such as 2026-06-06T10:00Z.") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} says no time zone; write 2026-06-06T10:00Z or 2026-06-06T06:00-04:00."
        )
    return moment.astimezone(UTC)
