"""20,000 participants over HTTP: with the default call budget, without one, and a second time when nothing changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from rich.console import Console
from rich.table import Table

from partners import providers
from partners.documents import ParticipantPage
from partners.gate import database_now
from partners.models import CallBudget, Credential
from partners.runsignup import paging
from partners.runsignup.client import RunSignUpClient
from partners.runsignup.parsing import decode_participant
from project88.embedded_postgres import database_recreate
from project88.environment import text as variable
from races.ingest import store_participants
from races.models import Participant, Race
from races.participant_columns import content_of
from sync.demo.people import partners_onboard, refuse_used_database
from sync.demo.sandbox_control import SandboxControl
from sync.demo.stack import log_dir, wait_until
from sync.management.terminal import quiet_logs
from sync.processes import MANAGE, ProcessGroup
from sync.services.backfill import BackfillRunner, Report, Scope, backfill_claim
from sync.services.discovery import discovery_run

UNLIMITED = 1_000_000
NAIVE_ROWS = 300


def backfill_bench() -> None:
    quiet_logs()
    console = Console()
    group = ProcessGroup(tell=console.print)
    try:
        _installation(group)
        table = Table(title="20,000 participants of 60 races and 13 keys")
        for name in ("what", "rows", "calls", "seconds", "rows/s"):
            table.add_column(name, justify="left" if name == "what" else "right")
        _row(table, "first load, 1,000 calls an hour a key", *_timed(_backfill))
        _row(table, "again, nothing changed", *_timed(_forget_budgets_and_backfill))
        Participant.objects.all().delete()
        _row(table, "first load, no call limit: the write path", *_timed(_forget_budgets_and_backfill))
        _row(table, "fetching alone, one connection a key, nothing stored: the limit", *_timed(_fetch_all))
        console.print(table)
        _write_path(console)
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


def _write_path(console: Console) -> None:
    """The same rows stored the naive way and ours, each rolled back."""
    Participant.objects.all().delete()
    race = max(Race.objects.select_related("credential"), key=lambda one: sum(page.size for page in _pages_of(one)))
    page = _pages_of(race)[0]
    rows = page.rows[:NAIVE_ROWS]
    events = dict(race.events.values_list("provider_event_id", "pk"))

    def naive() -> None:
        for row in rows:
            document = decode_participant(row.raw)
            Participant.objects.update_or_create(
                event_id=events[document.event_id],
                registration_id=document.registration_id,
                defaults={**content_of(document), "raw": row.raw.decode(), "raw_hash": b"", "content_hash": b""},
            )

    def staged() -> None:
        store_participants(race=race, rows=page.rows, decode=decode_participant, now=database_now(), runs={})

    slow, fast = _rolled_back(naive) / len(rows), min(_rolled_back(staged) for _ in range(5)) / len(page.rows)
    console.print(
        f"Storing new rows: update_or_create {1 / slow:,.0f} rows/s, one page at once {1 / fast:,.0f} rows/s with its "
        f"change rows: {slow / fast:.0f} times."
    )


class _Undo(Exception):
    pass


def _rolled_back(work: Callable[[], None]) -> float:
    seconds = 0.0
    try:
        with transaction.atomic():
            started = time.monotonic()
            work()
            seconds = time.monotonic() - started
            raise _Undo
    except _Undo:
        return seconds
