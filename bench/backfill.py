"""20,000 participants over HTTP: with the default call budget, without one, again unchanged, and where time goes."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from rich.console import Console
from rich.table import Table

from partners import providers
from partners.documents import ParticipantPage
from partners.gate import database_now
from partners.models import CallBudget, Credential
from partners.runsignup import paging, parsing
from partners.runsignup.client import RunSignUpClient
from partners.runsignup.transport import HttpTransport
from project88.embedded_postgres import database_recreate
from project88.environment import text as variable
from races import ingest
from races.models import Participant, Race
from sync.demo.people import partners_onboard, refuse_used_database
from sync.demo.sandbox_control import SandboxControl
from sync.demo.stack import log_dir, wait_until
from sync.management.terminal import quiet_logs
from sync.processes import MANAGE, ProcessGroup
from sync.services.backfill import BackfillRunner, Report, Scope, backfill_claim
from sync.services.discovery import discovery_run

UNLIMITED = 1_000_000


def backfill_bench() -> None:
    quiet_logs()
    console = Console()
    group = ProcessGroup(tell=console.print)
    try:
        _installation(group)
        limits = dict(Credential.objects.values_list("pk", "hourly_limit"))
        # First of all: what other loads leave in the process would count as this one's memory.
        _parts_of(console, _forget_budgets_and_backfill)
        Participant.objects.all().delete()
        CallBudget.objects.all().delete()
        for pk, limit in limits.items():
            Credential.objects.filter(pk=pk).update(hourly_limit=limit)
        table = Table(title="20,000 participants of 60 races and 13 keys")
        for name in ("what", "rows", "calls", "seconds", "rows/s"):
            table.add_column(name, justify="left" if name == "what" else "right")
        _row(table, "first load, 1,000 calls an hour a key", *_timed(_backfill))
        _row(table, "again, nothing changed", *_timed(_forget_budgets_and_backfill))
        Participant.objects.all().delete()
        _row(table, "first load, no call limit: the write path", *_timed(_forget_budgets_and_backfill))
        _row(table, "fetching alone, one connection a key, nothing stored: the limit", *_timed(_fetch_all))
        console.print(table)
    finally:
        group.stop()


def _installation(group: ProcessGroup) -> None:
    if not variable("DATABASE_URL"):
        connection.close()
        database_recreate(settings.BASE_DIR, database=connection.settings_dict["NAME"])
    call_command("migrate", verbosity=0, interactive=False)
    refuse_used_database()
    url = urlsplit(settings.RUNSIGNUP_URL)
    control = SandboxControl(f"{url.scheme}://{url.netloc}")
    log = log_dir() / "bench-sandbox.log"
    group.start("sandbox", [*MANAGE, "sandbox", "--port", str(url.port), "--hourly-limit", str(UNLIMITED)], log=log)
    wait_until(control.is_up, group, "sandbox", log=log, seconds=45.0)
    for credential in partners_onboard(control.keys(), tell=lambda _line: None):
        discovery_run(credential_id=credential.pk, now=database_now())


def _timed(work: Callable[[], tuple[int, int]]) -> tuple[int, int, float]:
    started = time.monotonic()
    rows, calls = work()
    return rows, calls, time.monotonic() - started


def _row(table: Table, what: str, rows: int, calls: int, seconds: float) -> None:
    table.add_row(what, f"{rows:,}", str(calls), f"{seconds:.1f}", f"{rows / seconds:,.0f}")


def _backfill() -> tuple[int, int]:
    report: Report = BackfillRunner(
        backfill_claim(Scope(), restart=True, now=database_now()), tell=lambda _at: None
    ).run()
    if report.problems:
        raise SystemExit("; ".join(report.problems))
    return report.rows, report.calls


def _forget_budgets_and_backfill() -> tuple[int, int]:
    CallBudget.objects.all().delete()
    Credential.objects.update(hourly_limit=UNLIMITED)
    return _backfill()


def _pages_of(race: Race) -> list[ParticipantPage]:
    transport = providers.make_transport(race.credential)
    client = RunSignUpClient(transport=transport, gate=nullcontext)
    ids = list(race.events.values_list("provider_event_id", flat=True))
    try:
        return list(paging.participant_pages(client, race_id=race.provider_race_id, event_ids=ids))
    finally:
        transport.close()


def _fetch_all() -> tuple[int, int]:
    pages = [page for race in Race.objects.select_related("credential") for page in _pages_of(race)]
    return sum(page.size for page in pages), len(pages)


class _Clock:
    """Seconds that all threads together spent inside some functions, on the clock and on the processor."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    def around(self, owner: object, name: str, part: str) -> AbstractContextManager[object]:
        work = getattr(owner, name)

        def timed(*args: object, **named: object) -> object:
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return work(*args, **named)
            finally:
                with self._lock:
                    self.wall[part] += time.perf_counter() - wall
                    self.cpu[part] += time.thread_time() - cpu

        return patch.object(owner, name, timed)


def _parts_of(console: Console, work: Callable[[], object]) -> None:
    """Where the time of a whole backfill goes, and the most memory that its process ever had."""
    clock = _Clock()
    _forget_most_memory()
    before = _most_memory()
    with ExitStack() as stack:
        for owner, name, part in (
            (BackfillRunner, "_walk", "all"),
            (HttpTransport, "get", "fetch"),
            (parsing, "participant_page", "parse"),
            (ingest, "store_participants", "store"),
        ):
            stack.enter_context(clock.around(owner, name, part))
        work()
    for counter in (clock.wall, clock.cpu):
        counter[_REST] = counter["all"] - sum(counter[part] for part in _PARTS)
    table = Table(
        "part", "share of the threads' time", "share of their processor time", title="First load, no call limit"
    )
    for part in (*_PARTS, _REST):
        table.add_row(part, *(f"{counter[part] / counter['all']:.0%}" for counter in (clock.wall, clock.cpu)))
    console.print(table)
    console.print(
        f"Most memory of the process: {_most_memory() / 1024:.0f} MB, {before / 1024:.0f} MB before it began."
    )


_PARTS = ("fetch", "parse", "store")
_REST = "the rest: turns, budget, runs, steps"


def _forget_most_memory() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _most_memory() -> int:
    """In kB."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
