"""Every page with a year of history: its queries, its time beside the same page without history, and its size.

Time is processor time of both sides, Django and its PostgreSQL connection: what a page takes on a machine that has a
core free for it, whatever else runs here. Where the database is elsewhere, it is the time by the clock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django.http import HttpResponseBase
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from bench import year_of_history as year
from bench.database import empty_database
from bench.first_visit import first_visit_bytes, gzipped_bytes
from bench.page_addresses import Address, Kind, World, addresses
from partners.models import TimingPartner
from races.models import Event, Participant, RaceAccess, StartListExport
from races.share_links import share_link_create
from sync.models import Cycle, SyncRun

MOST_QUERIES = 15
MOST_MS, MOST_FRAGMENT_MS = 100.0, 20.0
MOST_BYTES = 100_000
REPEATS = 20
# On a busy machine fewer times must do.
LONGEST_SECONDS = 0.7
LEAST_REPEATS = 5
FRAGMENT = {"HX-Request": "true"}
OK, NOT_MODIFIED, NOT_FOUND = 200, 304, 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Milliseconds of server time; `empty_p50`: of the same page without history; `unchanged_p95`: of the answer that
    nothing changed, None of what is no fragment. `visit`: bytes of a first visit, 0 of what is no page."""

    queries: int
    p50: float
    p95: float
    empty_p50: float
    unchanged_p95: float | None
    size: int
    visit: int

    def broken(self, address: Address) -> list[str]:
        """What the address breaks, in words."""
        found = []
        if self.queries > MOST_QUERIES:
            found.append("queries")
        if address.kind in {Kind.PAGE, Kind.PART} and self.p95 > MOST_MS:
            found.append("time")
        if address.kind is Kind.FRAGMENT and self.p95 > MOST_MS:
            found.append("time when changed")
        if address.kind is Kind.FRAGMENT and (self.unchanged_p95 is None or self.unchanged_p95 > MOST_FRAGMENT_MS):
            found.append("no 304" if self.unchanged_p95 is None else "time of 304")
        if self.visit > MOST_BYTES:
            found.append("size")
        return found


def pages_bench() -> None:
    console = Console(width=150)
    logging.getLogger().setLevel(logging.ERROR)
    empty_database()
    year.world_make()
    readers = year.readers_make()
    token = _share_token(readers["staff"])
    clients = {name: _client(reader) for name, reader in readers.items()}
    export_pk = _export(clients["staff"])
    first = _world(export_pk, token)
    RaceAccess.objects.create(user_id=readers["director"].pk, race_id=first.finished_race_pk)
    empty = {
        (name, address.label): _times(client, address)[0]
        for name, client in clients.items()
        for address in _seen_by(name, first)
    }
    begun = time.perf_counter()
    year.history_make()
    made = ", ".join(f"{count:,} {name}" for name, count in year.sizes())
    console.print(f"{made}: made in {time.perf_counter() - begun:.0f} s")
    export_pk = _export(clients["staff"])
    world = _world(export_pk, token)
    for name, client in clients.items():
        console.print(_walked(name, client, world, empty))


def _walked(name: str, client: Client, world: World, empty: dict[tuple[str, str], float]) -> Table:
    table = Table(title=f"Pages as {name}, with a year of history (304: what nothing changed costs)")
    for column in ("page", "queries", "p50 ms", "p95 ms", "× empty", "304 p95", "gzip kB", "visit kB", "breaks"):
        table.add_column(column, justify="left" if column in {"page", "breaks"} else "right")
    for address in _seen_by(name, world):
        found = measured(client, address, empty_p50=empty.get((name, address.label), 0.0))
        table.add_row(
            address.label,
            str(found.queries),
            f"{found.p50:.0f}",
            f"{found.p95:.0f}",
            f"{found.p50 / found.empty_p50:.1f}" if found.empty_p50 else "",
            "" if found.unchanged_p95 is None else f"{found.unchanged_p95:.0f}",
            f"{found.size / 1000:.1f}",
            f"{found.visit / 1000:.0f}" if found.visit else "",
            ", ".join(found.broken(address)),
        )
    return table


def measured(client: Client, address: Address, *, empty_p50: float) -> Measured:
    p50, p95 = _times(client, address)
    unchanged = None
    if address.kind is Kind.FRAGMENT:
        unchanged = _unchanged_p95(client, address)
    with CaptureQueriesContext(connection) as captured:
        body = _body(_asked(client, address))
    is_page = address.kind is Kind.PAGE and not address.variant
    return Measured(
        queries=len(captured),
        p50=p50,
        p95=p95,
        empty_p50=empty_p50,
        unchanged_p95=unchanged,
        size=gzipped_bytes(body),
        visit=first_visit_bytes(client, address.url) if is_page else 0,
    )


def _times(client: Client, address: Address) -> tuple[float, float]:
    """(p50, p95) of REPEATS times, in milliseconds; the first one, which loads templates, is not among them."""
    year.heartbeat_now()
    _body(_asked(client, address))
    return _percentiles(lambda: _body(_asked(client, address)))


def _unchanged_p95(client: Client, address: Address) -> float | None:
    """None: it is sent again although nothing changed. A word that time alone changes may come in between."""
    tag = _asked(client, address)["ETag"]
    answers = []

    def again() -> None:
        nonlocal tag
        answer = _asked(client, address, **{"If-None-Match": tag})
        answers.append(answer.status_code)
        tag = answer["ETag"]

    p95 = _percentiles(again)[1]
    return p95 if answers.count(NOT_MODIFIED) > len(answers) / 2 else None


def _percentiles(work: Callable[[], object]) -> tuple[float, float]:
    clock = _clock()
    taken: list[float] = []
    until = time.perf_counter() + LONGEST_SECONDS
    while len(taken) < REPEATS and (time.perf_counter() < until or len(taken) < LEAST_REPEATS):
        begun = clock()
        work()
        taken.append(clock() - begun)
    taken.sort()
    return taken[len(taken) // 2], taken[min(len(taken) - 1, int(len(taken) * 0.95))]


def _clock() -> Callable[[], float]:
    """Milliseconds: of the processor where both sides can be seen, else by the clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        server = Path(f"/proc/{cursor.fetchone()[0]}")
    try:
        is_ours = (server / "comm").read_text().startswith("postgres")
        (server / "schedstat").read_text()
    except OSError:
        is_ours = False
    if not is_ours:
        return lambda: time.perf_counter() * 1000
    return lambda: time.process_time() * 1000 + int((server / "schedstat").read_text().split()[0]) / 1e6


def _asked(client: Client, address: Address, **headers: str) -> HttpResponseBase:
    more = FRAGMENT if address.kind is Kind.FRAGMENT else {}
    answer = client.get(address.url, headers={**more, **headers})
    if answer.status_code not in {OK, NOT_MODIFIED}:
        raise SystemExit(f"{address.url} answered {answer.status_code}")
    return answer


def _body(answer: HttpResponseBase) -> bytes:
    return b"".join(answer) if answer.streaming else answer.content  # type: ignore[arg-type,attr-defined,call-overload]


def _client(reader: AbstractBaseUser) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(reader)  # type: ignore[arg-type]
    return client


def _seen_by(name: str, world: World) -> list[Address]:
    return [address for address in addresses(world) if name == "staff" or not address.is_staff_only]


def _share_token(staff: AbstractBaseUser) -> str:
    event, now = Event.objects.select_related("race").get(pk=year.LARGEST_EVENT), timezone.now()
    expires_at = now + timedelta(days=30)
    return share_link_create(race=event.race, label="", expires_at=expires_at, created_by=staff, now=now)[1]


def _export(client: Client) -> int:
    """An export of the largest race; its changes since are all that came later."""
    _body(client.post(reverse("start_list_export", args=[year.LARGEST_RACE]), {"format": "csv"}))
    return StartListExport.objects.latest("pk").pk


def _world(export_pk: int, token: str) -> World:
    finished = Event.objects.filter(starts_at__lt=timezone.now() - timedelta(days=2)).earliest("pk")
    event = Event.objects.select_related("race").get(pk=year.LARGEST_EVENT)
    person = Participant.objects.filter(event=event).latest("pk")
    run = SyncRun.objects.filter(event=event).order_by("started_at").first()
    latest = SyncRun.objects.order_by("-started_at").first()
    return World(
        race_pk=event.race_id,
        provider_race_id=event.race.provider_race_id,
        event_pk=event.pk,
        finished_race_pk=finished.race_id,
        finished_event_pk=finished.pk,
        participant_pk=person.pk,
        export_pk=export_pk,
        share_token=token,
        partner_slug=TimingPartner.objects.latest("pk").slug,
        cycle_pk=(latest.cycle_id if latest else None) or Cycle.objects.latest("pk").pk,
        run_pk=run.pk if run else 0,
        last_name=person.last_name,
        former_bib="7",
        registration_id=person.registration_id,
        long_ago=f"{timezone.now() - timedelta(days=150):%Y-%m-%d}",
    )
