"""manage.py run: web server and cluster on this machine, with one command."""

from __future__ import annotations

import contextlib
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from rich.console import Console

from partners.rights import somebody_may_everything
from project88 import embedded_postgres
from project88.environment import text as variable
from sync.demo.cycle_lines import CycleLines
from sync.demo.stack import NotStarted, cluster_start, log_dir, port_number, web_port, web_start
from sync.demo.stop_signals import StopSignals
from sync.management.terminal import console_on
from sync.processes import ProcessGroup


class Command(BaseCommand):
    help = (
        "Bring the database up to date and run web server and cluster on this machine until Ctrl-C, which stops what "
        "this command started and nothing else. Prints a line per cycle."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=port_number, help="port of the web server on 127.0.0.1 (default: 8000 or the next)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        console = console_on(self.stdout)
        stop = StopSignals()
        call_command("migrate", verbosity=0, interactive=False)
        if not settings.DEBUG:
            call_command("collectstatic", verbosity=0, interactive=False)
        group = ProcessGroup(tell=lambda text: console.print(text))
        try:
            port = web_port(options["port"])
            web_start(group, port=port)
            cluster_start(group)
            _greet(console, port)
            follow(console, group, stop)
        except NotStarted as problem:
            raise CommandError(str(problem), returncode=1) from None
        finally:
            group.stop()


def _greet(console: Console, port: int) -> None:
    console.print(f"Project88 runs at http://127.0.0.1:{port}/ (output of its parts: {log_dir()})")
    if not somebody_may_everything():
        console.print("Nobody can log in yet. Make the first account: manage.py createsuperuser")
    console.print("Then add a timing partner with its RunSignUp key in the admin: /admin/partners/timingpartner/add/")


def _embedded_database_start() -> None:
    """Nobody else starts the embedded server again; one of our own is somebody else's business."""
    if not variable("DATABASE_URL"):
        with contextlib.suppress(Exception):
            embedded_postgres.database_url(settings.BASE_DIR, database=settings.EMBEDDED_DATABASE)


def follow(console: Console, group: ProcessGroup, stop: StopSignals, *, seconds: float | None = None) -> None:
    """Print a line per cycle and keep the children alive until a signal comes or the time is over."""
    lines = CycleLines()
    end = None if seconds is None else time.monotonic() + seconds
    reachable = True
    while not stop.wait(0.5) and (end is None or time.monotonic() < end):
        group.look()
        try:
            for line in lines.new():
                console.print(line)
            reachable = True
        except DatabaseError:
            connection.close()
            if reachable:
                console.print("The database does not answer; everything goes on when it does.")
            reachable = False
            _embedded_database_start()
