"""manage.py demo: everything on this machine, with invented partners, and the proof that it works."""

from __future__ import annotations

import fcntl
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from rich.console import Console

from partners.credential_problems import CredentialProblem
from partners.gate import database_now
from partners.models import Credential
from partners.runsignup.sandbox.worlds import DEFAULT, WORLDS
from project88.embedded_postgres import database_recreate
from project88.environment import text as variable
from sync.demo.people import NotEmpty, logins_make, partners_onboard, refuse_used_database
from sync.demo.promise import promise_judge
from sync.demo.sandbox_control import SandboxControl
from sync.demo.stack import NotStarted, cluster_start, log_dir, logs_begin, port_number, wait_until, web_port, web_start
from sync.demo.stop_signals import StopSignals
from sync.demo.summary import summary_print
from sync.demo.truth import mirror_compare
from sync.management.commands.backfill import backfill_show
from sync.management.commands.run import follow
from sync.management.terminal import console_on
from sync.processes import MANAGE, ProcessGroup
from sync.services.backfill import Scope, backfill_claim
from sync.services.discovery import discovery_run
from sync.services.policies import policy_now

LIFE = 60.0


class _Stopped(Exception):
    """Asked to stop before everything ran."""


class Command(BaseCommand):
    help = (
        "Show everything at work on this machine: an empty PostgreSQL, a sandbox that answers like RunSignUp, 13 "
        "timing partners, web server and cluster. Ctrl-C stops what it started and nothing else. With --check it "
        "judges itself at the end: exit code 0 when promise and truth held, 1 when not."
    )
    requires_system_checks = []  # type: ignore[assignment]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--for", dest="seconds", type=float, metavar="SECONDS", help="stop after the cluster ran this long"
        )
        parser.add_argument(
            "--check", action="store_true", help="at the end compare mirror and truth; exit code 1 if the promise broke"
        )
        parser.add_argument(
            "--port", type=port_number, help="port of the web server on 127.0.0.1 (default: 8000 or the next)"
        )
        parser.add_argument(
            "--world",
            choices=list(WORLDS),
            default=DEFAULT,
            help="morning: 25 events start soon; saturday: 120 do, and one key wants more calls than it may make "
            "(default: morning)",
        )
        parser.add_argument("--seed", type=int, default=88, help="which invented world (default: 88)")
        parser.add_argument(
            "--life", type=float, default=LIFE, metavar="CHANGES", help="changes a minute in it (default: 60)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        console = console_on(self.stdout)
        stop = StopSignals()
        group = ProcessGroup(tell=lambda text: console.print(text, markup=False))
        with ExitStack() as stack:
            stack.callback(group.stop)
            stack.enter_context(_only_one_demo())
            logs_begin()
            try:
                self._demo(console, group, stop, options)
            except _Stopped:
                console.print("Stopped before everything ran.")
            except (NotStarted, NotEmpty, CredentialProblem) as problem:
                raise CommandError(str(problem), returncode=1) from None

    def _demo(self, console: Console, group: ProcessGroup, stop: StopSignals, options: dict[str, Any]) -> None:
        _database(console)
        control = _sandbox(console, group, options)
        credentials = partners_onboard(control.keys(), tell=lambda line: console.print(f"  {line}", markup=False))
        _go_on(stop)
        port = web_port(options["port"])
        web_start(group, port=port)
        console.print(f"Pages: http://127.0.0.1:{port}/  (output of all parts: {log_dir()})")
        _discover(console, credentials, stop)
        for login in logins_make():
            console.print(f"  log in as {login.name} / {login.password}: {login.may}", markup=False)
        _go_on(stop)
        _backfill(console, stop)
        _go_on(stop)
        began = database_now()
        cluster_start(group)
        console.print("The cluster runs; a line per cycle follows. Ctrl-C stops everything.")
        follow(console, group, stop, seconds=options["seconds"])
        _finish(console, group, control, began=began, check=options["check"])


def _go_on(stop: StopSignals) -> None:
    if stop.asked:
        raise _Stopped


def _only_one_demo():
    """Two demos would throw away each other's database. The lock is the kernel's: it ends with the process."""
    settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
    lock = (settings.VAR_DIR / f"demo-{settings.DATABASES['default']['NAME'].replace('/', '_')}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise CommandError("A demo runs already on this database. Stop it first.", returncode=1) from None
    return lock


def _database(console: Console) -> None:
    started = time.monotonic()
    if not variable("DATABASE_URL"):
        database_recreate(settings.BASE_DIR, database=connection.settings_dict["NAME"])
    call_command("migrate", verbosity=0, interactive=False)
    refuse_used_database()
    console.print(f"Database ready ({time.monotonic() - started:.1f} s).")


def _sandbox(console: Console, group: ProcessGroup, options: dict[str, Any]) -> SandboxControl:
    started = time.monotonic()
    url = urlsplit(settings.RUNSIGNUP_URL)
    control = SandboxControl(f"{url.scheme}://{url.netloc}")
    argv = [*MANAGE, "sandbox", "--port", str(url.port)]
    argv += [word for name in ("world", "seed", "life") for word in (f"--{name}", str(options[name]))]
    log = log_dir() / "sandbox.log"
    group.start("sandbox", argv, log=log)
    wait_until(control.is_up, group, "sandbox", log=log, seconds=45.0)
    console.print(f"Sandbox answers at {settings.RUNSIGNUP_URL} ({time.monotonic() - started:.1f} s).")
    return control


def _discover(console: Console, credentials: list[Credential], stop: StopSignals) -> None:
    races = events = 0
    for credential in credentials:
        _go_on(stop)
        report = discovery_run(credential_id=credential.pk, now=database_now())
        if report is not None:
            races, events = races + report.races, events + report.events
            if report.problem:
                console.print(f"  {credential}: {report.problem}", markup=False)
    console.print(f"Discovered {races} races with {events} events.")


def _backfill(console: Console, stop: StopSignals) -> None:
    started = time.monotonic()
    backfill = backfill_claim(Scope(), restart=False, now=database_now())
    report = backfill_show(console, backfill, on_start=lambda runner: stop.then(runner.stop.set))
    _go_on(stop)
    seconds = time.monotonic() - started
    console.print(
        f"Backfill: {report.rows:,} people of {report.done} races in {seconds:.1f} s with {report.calls} calls."
    )
    for problem in report.problems:
        console.print(f"  {problem}", markup=False)


def _finish(console: Console, group: ProcessGroup, control: SandboxControl, *, began: Any, check: bool) -> None:
    ended = database_now()
    console.print("Stopping the cluster …")
    control.set_life(0)
    group.stop("cluster")
    verdict = promise_judge(since=began, until=ended, ledger=control.ledger(), policy=policy_now())
    comparison = mirror_compare(control) if check else None
    summary_print(console, verdict, comparison)
    if check and (verdict.broken or (comparison and comparison.differences)):
        raise CommandError("The promise was broken: see above.", returncode=1)
