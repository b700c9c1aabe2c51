"""The write path beside what one writes first: loading people, and syncing again when little or nothing changed."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

from django.db import connection, transaction
from rich.console import Console
from rich.table import Table

from bench.database import empty_database, event_make, wal_bytes
from bench.naive_ingest import naive_page
from bench.participant_pages import page, pages
from partners.gate import database_now
from partners.runsignup.answer import Answer
from partners.runsignup.parsing import decode_participant, participant_page
from races.ingest import store_participants
from races.models import Event
from races.participant_columns import Columns, columns_of, raw_hash_of
from races.participant_writes import additions_insert, ids_take, participants_insert

PEOPLE = 260_350
AN_EVENT = 5_000
LARGE = 10_000_000
ROUNDS = 7
PAGES_A_ROUND = 3
FIRST_ID = 7_000_000
PROVIDER_EVENT = 990_101


def ingest_bench() -> None:
    console = Console()
    empty_database()
    event = event_make(PROVIDER_EVENT)
    seconds = sum(_timed(partial(_store, event, [answer])) for answer in _pages(FIRST_ID, PEOPLE))
    console.print(f"First load of {PEOPLE:,} people into the empty mirror: {PEOPLE / seconds:,.0f} rows/s.")
    _vacuum()
    _first_load(console, event)
    _again(console, event_make(PROVIDER_EVENT + 1), rows=PEOPLE)


def ingest_large_bench() -> None:
    """The same second look in a table of ten million rows. Takes some minutes and 5 GB."""
    console = Console()
    empty_database()
    with connection.cursor() as cursor:
        cursor.execute(_MANY_ROWS, [event_make(PROVIDER_EVENT).pk, FIRST_ID, FIRST_ID + LARGE - 1])
    _again(console, event_make(PROVIDER_EVENT + 1), rows=LARGE)


_MANY_ROWS = """
    INSERT INTO races_participant (event_id, registration_id, first_name, middle_name, last_name, email, phone, gender,
      street, city, state, zipcode, country_code, bib, chip, team_name, imported, is_anonymous, answers, raw, raw_hash,
      content_hash, removed_reason)
    SELECT %s, n, 'Zoë', '', 'Runner ' || n, 'runner' || n || '@example.test', '', 'F', '', 'Fort Larkin', 'CO', '',
      'US', n::text, '', '', false, false, '[]', '', uuid_send(gen_random_uuid()), uuid_send(gen_random_uuid()), ''
    FROM generate_series(%s::bigint, %s::bigint) n
"""


def _pages(first: int, people: int) -> Iterable[Answer]:
    return pages(event_id=PROVIDER_EVENT, first=first, people=people)


def _store(event: Event, answers: Iterable[Answer]) -> None:
    """As a visit does: a transaction a page."""
    for answer in answers:
        with transaction.atomic():
            rows = participant_page(answer).rows
            store_participants(
                race=event.race, rows=rows, decode=decode_participant, now=database_now(), runs={event.pk: 1}
            )


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _parse(answers: Iterable[Answer]) -> None:
    for answer in answers:
        json.loads(answer.body)


def _vacuum() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE races_participant")
        cursor.execute("CHECKPOINT")


Row = tuple[int, int, int, Columns]


def _decoded(event: Event, answer: Answer) -> Iterator[Row]:
    rows = participant_page(answer).rows
    for pk, row in zip(ids_take(len(rows)), rows, strict=True):
        raw = bytes(row.raw)
        yield pk, event.pk, row.registration_id, columns_of(decode_participant(raw), raw=raw, raw_hash=raw_hash_of(raw))


def _copy_decoded(pages_of_rows: Iterable[Sequence[Row]], *, with_changes: bool) -> None:
    for rows in pages_of_rows:
        with transaction.atomic():
            participants_insert(rows)
            if with_changes:
                additions_insert([(pk, event, 1) for pk, event, *_rest in rows], now=database_now())


def _copy_pages(event: Event, answers: Iterable[Answer]) -> None:
    """What ours does without a look at what is stored, as if nothing could be: no change rows, no lock."""
    for answer in answers:
        with transaction.atomic():
            rows = _decoded(event, answer)
            # The ids are taken before the COPY begins.
            first = next(rows)
            participants_insert(chain([first], rows))


def _first_load(console: Console, event: Event) -> None:
    """New people into the full table, in turns of `_WAYS`."""
    first = FIRST_ID + PEOPLE
    seconds: dict[str, list[float]] = {way: [] for way in _WAYS}
    for _ in range(ROUNDS):
        answers = list(_pages(first, (4 * PAGES_A_ROUND + 1) * 1000))
        ours, copy, changes, straight = (answers[at * PAGES_A_ROUND : (at + 1) * PAGES_A_ROUND] for at in range(4))
        works: dict[str, tuple[int, Callable[[], object]]] = {
            "naive": (1, partial(naive_page, event, answers[-1].body, now=database_now())),
            "ours": (PAGES_A_ROUND, partial(_store, event, ours)),
            "straight": (PAGES_A_ROUND, partial(_copy_pages, event, straight)),
        }
        for way, chosen in (("copy", copy), ("changes", changes)):
            ready = [list(_decoded(event, answer)) for answer in chosen]
            works[way] = PAGES_A_ROUND, partial(_copy_decoded, ready, with_changes=way == "changes")
        for way, (count, work) in works.items():
            seconds[way].append(_timed(work) / count)
        first += len(answers) * 1000
    title = f"New people, {PEOPLE:,} stored: medians of {ROUNDS} (the least times)"
    table = Table("way", "rows/s", "times the naive way", title=title)
    for way, text in _WAYS.items():
        rates = [f"{1000 / pick(seconds[way]):,.0f}" for pick in (statistics.median, min)]
        times = [f"{pick(seconds['naive']) / pick(seconds[way]):.0f}" for pick in (statistics.median, min)]
        table.add_row(text, *(f"{middle} ({best})" for middle, best in (rates, times)))
    for way in _COPIES:
        shares = [pick(seconds[way]) / pick(seconds["ours"]) for pick in (statistics.median, min)]
        console.print(f"Ours has {shares[0]:.0%} ({shares[1]:.0%}) of the rows/s of: {_WAYS[way]}.")
    console.print(table)


_WAYS = {
    "naive": "json.loads, strptime, Decimal, sha256, update_or_create and a change row each; a transaction a page",
    "ours": "ours: from page bytes to committed rows, with change rows",
    "straight": "from page bytes by COPY straight into the table, as if nobody could be stored yet; no change rows",
    "changes": "COPY of rows that are decoded already, into the same table, then their change rows",
    "copy": "COPY of rows that are decoded already, into the same table, no change rows",
}
_COPIES = ("straight", "changes", "copy")


def _again(console: Console, event: Event, *, rows: int) -> None:
    """One event of 5,000 people listed again, beside json.loads of the same bytes."""
    first = FIRST_ID + 2 * LARGE
    listing = _listing(first, version=0)
    _store(event, listing)
    _vacuum()
    ratios: dict[str, list[float]] = {"0 %": [], "1 %": []}
    wal: dict[str, list[int]] = {"0 %": [], "1 %": []}
    for version in range(1, ROUNDS + 1):
        for share, answers in (("0 %", listing), ("1 %", _listing(first, version=version))):
            parsing = min(_timed(partial(_parse, answers)) for _ in range(2))
            before = wal_bytes()
            storing = _timed(partial(_store, event, answers))
            wal[share].append(wal_bytes() - before)
            ratios[share].append(storing / parsing)
            listing = answers
    title = f"{AN_EVENT:,} people again, {rows:,} stored"
    table = Table("changed", "x json.loads, median", "least", "WAL, least bytes", title=title)
    for share, found in ratios.items():
        table.add_row(share, f"{statistics.median(found):.2f}", f"{min(found):.2f}", f"{min(wal[share]):,}")
    console.print(table)
    _incremental(console, event, first)


def _listing(first: int, *, version: int) -> list[Answer]:
    changed = range(first, first + AN_EVENT, 100) if version else ()
    return list(pages(event_id=PROVIDER_EVENT + 1, first=first, people=AN_EVENT, changed=changed, version=version))


def _incremental(console: Console, event: Event, first: int) -> None:
    table = Table("rows", "ms, median", "ms, least", title="What changed since the last sync, from bytes to commit")
    for count in (0, 1, 20):
        numbers = range(first, first + count * 7, 7)
        seconds = []
        for version in range(100, 100 + 3 * ROUNDS):
            answer = page(event_id=PROVIDER_EVENT + 1, numbers=numbers, changed=numbers, version=version)
            seconds.append(_timed(partial(_store, event, [answer])))
        table.add_row(str(count), f"{statistics.median(seconds) * 1e3:.1f}", f"{min(seconds) * 1e3:.1f}")
    console.print(table)
