"""What one cycle's selection and planning costs with a thousand and with a million events, and the naive way."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from rich.console import Console
from rich.table import Table

from partners.gate import database_now
from partners.models import Credential, TimingPartner
from partners.secret import Secret
from project88.embedded_postgres import database_recreate
from project88.environment import text as variable
from races.models import Event, Race
from sync.core.planning import Candidate, plan
from sync.core.policy import DEFAULT_POLICY
from sync.core.tiers import tier_at
from sync.demo.people import refuse_used_database
from sync.models import EventSync, SyncRun
from sync.services.cycles import key_states
from sync.services.due_events import due_candidates
from sync.services.event_schedule import window_of

SIZES = (1_000, 100_000, 1_000_000)
KEYS = 100
EVENTS_A_RACE = 4
DUE_SHARE = 0.05
# The naive way would take minutes at a million.
NAIVE_UP_TO = 100_000
REPEATS = 15


def planning_bench() -> None:
    console = Console()
    if not variable("DATABASE_URL"):
        connection.close()
        database_recreate(settings.BASE_DIR, database=connection.settings_dict["NAME"])
    call_command("migrate", verbosity=0, interactive=False)
    refuse_used_database()
    table = Table(title="One cycle: reading what is due and planning it (5 % due, 100 keys)")
    for name in ("events", "due", "best ms", "median ms", "peak kB", "all events in Python, history joined: ms"):
        table.add_column(name, justify="right")
    made = 0
    for size in SIZES:
        _grow(made, size)
        made = size
        best, median, peak = _measured(_plan)
        naive = f"{_timed(_naive):,.0f}" if size <= NAIVE_UP_TO else "not tried"
        figures = (f"{best:.1f}", f"{median:.1f}", f"{peak / 1024:,.0f}", naive)
        table.add_row(f"{size:,}", f"{int(size * DUE_SHARE):,}", *figures)
    console.print(table)


def _plan() -> int:
    now = database_now()
    keys = key_states(now=now)
    return len(plan(due_candidates(keys, now=now, policy=DEFAULT_POLICY), keys, now=now, policy=DEFAULT_POLICY))


def _naive() -> int:
    """What one writes first: every event with its last run, tier and due time reckoned in Python."""
    now = database_now()
    candidates = []
    keys = key_states(now=now)
    for event in Event.objects.select_related("race", "sync").defer("raw", "race__raw"):
        last = SyncRun.objects.filter(event=event).order_by("-started_at").first()
        tier = tier_at(window_of(event), now=now, policy=DEFAULT_POLICY)
        due = event.sync.due_at
        if tier is None or due is None or due > now or last is None:
            continue
        candidates.append(
            Candidate(
                event_id=event.pk,
                race_id=event.race_id,
                credential_id=event.race.credential_id,
                partner_id=event.race.partner_id,
                tier=tier,
                due_at=due,
            )
        )
    return len(plan(candidates, keys, now=now, policy=DEFAULT_POLICY))


def _measured(work: Callable[[], int]) -> tuple[float, float, float]:
    """(best and median milliseconds, peak bytes of Python objects)."""
    work()
    times = [_timed(work) for _ in range(REPEATS)]
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return min(times), statistics.median(times), peak


def _timed(work: Callable[[], int]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def _grow(made: int, size: int) -> None:
    """Rows straight in SQL; a twentieth of them due, a fiftieth HIGH, a twentieth MEDIUM."""
    if not made:
        for number in range(KEYS):
            partner = TimingPartner.objects.create(name=f"Partner {number}", slug=f"partner-{number}")
            Credential.objects.create(
                partner=partner, api_key=f"bench-{number}", api_secret=Secret("x" * 20), status=Credential.Status.OK
            )
    first_key = Credential.objects.order_by("pk").values_list("pk", flat=True)[0]
    first_partner = TimingPartner.objects.order_by("pk").values_list("pk", flat=True)[0]
    values = {
        "first": made + 1, "last": size, "first_race": made // EVENTS_A_RACE + 1, "last_race": size // EVENTS_A_RACE,
        "key": first_key, "partner": first_partner, "keys": KEYS, "a_race": EVENTS_A_RACE,
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in _INSERTS:
            cursor.execute(statement, values)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    if EventSync.objects.count() != size or Race.objects.count() != size // EVENTS_A_RACE:
        raise SystemExit("The world of the benchmark is not what it says.")


_INSERTS = (
    """INSERT INTO races_race (id, partner_id, credential_id, provider_race_id, name, timezone, city, state,
         country_code, url, is_draft, is_private, registration_open, sync_enabled, raw)
       SELECT n, %(partner)s + n %% %(keys)s, %(key)s + n %% %(keys)s, n, 'Race ' || n, 'America/New_York', '', '',
         'US', '', false, false, true, true, ''
       FROM generate_series(%(first_race)s::bigint, %(last_race)s::bigint) n""",
    """INSERT INTO races_event (id, race_id, provider_event_id, name, starts_at, start_is_placeholder, distance,
         event_type, raw)
       SELECT n, (n - 1) / %(a_race)s + 1, n, '5K',
         now() + CASE WHEN n %% 50 = 0 THEN interval '2 hours' WHEN n %% 20 = 1 THEN interval '12 hours'
                      ELSE interval '9 days' END, false, '5K', 'running_race', ''
       FROM generate_series(%(first)s::bigint, %(last)s::bigint) n""",
    """INSERT INTO sync_eventsync (event_id, credential_id, tier, tier_until, due_at, due_trigger, visits, failures,
         hold_reason, reconcile_removed, reconcile_rejected, reconcile_kept)
       SELECT n, %(key)s + ((n - 1) / %(a_race)s + 1) %% %(keys)s,
         CASE WHEN n %% 50 = 0 THEN 'HIGH' WHEN n %% 20 = 1 THEN 'MEDIUM' ELSE 'LOW' END, now() + interval '2 hours',
         now() + CASE WHEN (n / 7) %% 20 = 0 THEN -interval '1 second' * (n %% 900) ELSE interval '1 hour' END,
         'scheduled', 5, 0, '', 0, 0, 0
       FROM generate_series(%(first)s::bigint, %(last)s::bigint) n""",
    """INSERT INTO sync_syncrun (event_id, visit, "trigger", tier, came_along, "full", started_at, finished_at,
         outcome, error_class, error_text, calls, pages, fetched, added, changed, removed, rejected)
       SELECT n, gen_random_uuid(), 'scheduled', 'LOW', false, false, now() - interval '1 hour' * k, now(), 'ok',
         '', '', 1, 1, 0, 0, 0, 0, 0
       FROM generate_series(%(first)s::bigint, %(last)s::bigint) n, generate_series(1, 3) k""",
)
