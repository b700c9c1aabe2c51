"""A provider of a test's own making: few races, few people, every start chosen; and a mirror to hold against it.

The provider is the sandbox, asked over real HTTP. The budget's clock is the database's, so starts lie around the
present, and a test makes events due by moving their `due_at`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from django.db import connection, connections, transaction

from partners import providers
from partners.gate import database_now
from partners.models import CallBudget, Credential
from partners.runsignup.parsing import decode_participant
from partners.runsignup.sandbox import SandboxServer, World
from partners.runsignup.sandbox.model import ACTIVE, Event, Key, Race
from partners.secret import Secret
from races import models
from races.participant_columns import CONTENT, content_of
from sync.core.pace import Demand, pace_of
from sync.core.policy import DEFAULT_POLICY
from sync.demo.truth import mirror_compare
from sync.models import EventSync, SyncRun
from sync.services.cycles import cycle_run
from sync.services.discovery import discovery_run
from sync.services.lanes import lane_run
from tests.factories import CredentialFactory

# Without summer time: a start is never in a gap nor twice, whenever the tests run.
ZONE = "America/Phoenix"
SOON = timedelta(hours=2)
# The pace of a key that has calls enough for all its races.
UNHURRIED = pace_of(Demand(high=0, medium=0, low=0), rate=1000, policy=DEFAULT_POLICY)
# Registered and settled long before any cursor's overlap.
LONG_AGO = 7 * 86_400.0
FIRST_RACE = 974_501
FIRST_EVENT = 990_101


def text_of(start: datetime | None) -> str | None:
    """A start as the provider writes it, in the race's zone."""
    if start is None:
        return None
    local = start.astimezone(ZoneInfo(ZONE))
    return f"{local.month}/{local.day}/{local.year} {local:%H:%M}"


@dataclass
class Stage:
    """The world, its server, and the keys that are onboarded."""

    world: World
    server: SandboxServer
    keys: list[Credential] = field(default_factory=list)

    @property
    def key(self) -> Credential:
        return self.keys[0]

    def add_race(self, *, starts: Sequence[datetime | None], people: int = 3, key: int = 0) -> Race:
        """A race with one event for each start, each with `people` registered a week ago."""
        world = self.world
        race = Race(
            race_id=FIRST_RACE + len(world.races),
            name=f"Harbor Lights {len(world.races)}",
            timezone=ZONE,
            city="Salem",
            state="MA",
            zipcode="01970",
            street="1 Wharf St",
            created=datetime(2025, 1, 1, tzinfo=UTC),
            modified=datetime(2025, 1, 1, tzinfo=UTC),
            questions=[],
        )
        with world.lock:
            world.races[race.race_id] = race
            list(world.keys.values())[key].race_ids.append(race.race_id)
            for start in starts:
                self.add_event(race, start=start, people=people)
        return race

    def add_event(self, race: Race, *, start: datetime | None, people: int = 3, days_id: int | None = None) -> Event:
        world = self.world
        event = Event(
            event_id=FIRST_EVENT + len(world.events),
            race=race,
            days_id=days_id or 480_000 + race.race_id,
            name=f"Event {len(race.events) + 1}",
            distance="5K",
            start_time=text_of(start),
            opens=datetime(2025, 1, 1, 2, tzinfo=UTC),
            fee="$45.00",
        )
        race.events.append(event)
        world.events[event.event_id] = event
        for number in range(people):
            world.change("register", event_id=event.event_id, now=time.time() - LONG_AGO + number)
        return event

    def discover(self) -> None:
        for credential in self.keys:
            CallBudget.objects.filter(credential=credential).update(theoretical_arrival_at=None)
            report = discovery_run(credential_id=credential.pk, now=database_now())
            assert report is not None
            assert report.problem == ""

    def event(self, event: Event | int) -> models.Event:
        """The mirror's event."""
        number = event if isinstance(event, int) else event.event_id
        return models.Event.objects.select_related("sync", "race").get(provider_event_id=number)

    def row(self, event: Event | int) -> EventSync:
        return self.event(event).sync

    def sync(self) -> list[SyncRun]:
        """Everything that is scheduled is due; one cycle and its lanes; the runs of it."""
        refill()
        began = database_now()
        make_due()
        report = cycle_run(now=database_now(), call_lanes=False)
        assert report is not None
        for credential_id in report.credentials:
            lane_run(credential_id=credential_id)
        return list(SyncRun.objects.filter(started_at__gte=began).select_related("event").order_by("event_id"))

    def calls(self, endpoint: str | None = None) -> list[dict[str, Any]]:
        """What the provider saw, but for the list of races unless it is asked for."""
        return [
            call
            for call in self.world.ledger.calls()
            if (call["endpoint"] == endpoint if endpoint else call["endpoint"] != "races")
        ]


def a_key(number: int, *, hourly_limit: int = 1000) -> Key:
    return Key(
        key=f"stage-key-{number}",
        secret=f"stage-secret-{number}-0123456789",
        name=f"Timing Partner {number}",
        timezone=ZONE,
        entity_id=4_400 + number,
        hourly_limit=hourly_limit,
    )


def empty_world(*, keys: int) -> World:
    return World(
        keys=[a_key(number) for number in range(keys)], races=[], caller_registration=("900001.x", "y"), seed=1
    )


def onboarded(world: World) -> list[Credential]:
    return [
        CredentialFactory(api_key=key.key, api_secret=Secret(key.secret), hourly_limit=key.hourly_limit)
        for key in world.keys.values()
    ]


def from_now(**offset: float) -> datetime:
    """A start that far from now, in whole minutes as the provider has them, and not at midnight, a placeholder."""
    start = (datetime.now(UTC) + timedelta(**offset)).replace(second=0, microsecond=0)
    local = start.astimezone(ZoneInfo(ZONE))
    return start - timedelta(minutes=1) if (local.hour, local.minute) == (0, 0) else start


def refill(free: int | None = None) -> None:
    """Let all keys have their whole burst, or exactly `free` calls of it."""
    CallBudget.objects.update(theoretical_arrival_at=None)
    if free is not None:
        # 20 calls of a key of 1000 an hour, one each 3.67 s; half a call more, so that the test's time changes nothing.
        interval = 3600 / 980
        ahead = timedelta(seconds=(20 - free - 0.5) * interval)
        for credential in Credential.objects.defer("api_secret"):
            CallBudget.objects.update_or_create(
                credential=credential, defaults={"theoretical_arrival_at": database_now() + ahead}
            )


def make_due(*events: models.Event) -> None:
    """The scheduled events (or those named) were due a second ago."""
    rows = EventSync.objects.filter(event__in=events) if events else EventSync.objects.filter(due_at__isnull=False)
    with transaction.atomic():
        # In the order in which everybody locks them.
        locked = list(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
        EventSync.objects.filter(pk__in=locked).update(due_at=database_now() - timedelta(seconds=1))


def end_leases() -> None:
    """Time passes for whoever holds a lane, a run, or a place at the gate: their leases ended a second ago."""
    past = database_now() - timedelta(seconds=1)
    CallBudget.objects.filter(lane_lease_until__isnull=False).update(lane_lease_until=past)
    CallBudget.objects.update(calls_in_flight=[])
    SyncRun.objects.filter(lease_until__isnull=False).update(lease_until=past)


def assert_mirror_is_truth(world: World) -> None:
    """Ids, states and fields are exactly the provider's, and the demo's judge agrees."""
    assert mirror_compare(world).differences == ()
    for event in world.events.values():
        truth = {one["registration_id"]: one for one in world.truth(event.event_id)}
        mirror = {
            row["registration_id"]: row
            for row in models.Participant.objects.filter(event__provider_event_id=event.event_id).values(
                "registration_id", "removed_at", "removed_reason", "successor_registration_id", *CONTENT
            )
        }
        active = {number for number, one in truth.items() if one["state"] == ACTIVE}
        assert {number for number, row in mirror.items() if row["removed_at"] is None} == active
        for number, row in mirror.items():
            if row["removed_at"] is None:
                document = decode_participant(msgspec.json.encode(truth[number]["row"]))
                assert {name: row[name] for name in CONTENT} == content_of(document)
            else:
                said = truth[number]["reason"], truth[number]["successor"]
                assert (row["removed_reason"], row["successor_registration_id"]) == said


def listed(event: Event) -> set[int]:
    """The registration ids that the mirror lists as active."""
    rows = models.Participant.objects.filter(event__provider_event_id=event.event_id, removed_at=None)
    return set(rows.values_list("registration_id", flat=True))


class HookedTransport:
    """The real transport; `before` sees each call first, and may raise instead of it."""

    def __init__(self, inner: providers.Transport, before: Callable[[str, dict[str, str]], None]) -> None:
        self._inner = inner
        self._before = before

    def get(self, path: str, params: dict[str, str]):
        self._before(path, params)
        return self._inner.get(path, params)

    def close(self) -> None:
        self._inner.close()


def hook_calls(monkeypatch, before: Callable[[str, dict[str, str]], None]) -> None:
    """Every call of a stored key passes `before(path, params)` first, in the thread that makes it."""
    real = providers.make_transport
    monkeypatch.setattr(providers, "make_transport", lambda credential: HookedTransport(real(credential), before))


def wait_until_somebody_waits_for_us() -> None:
    """Until another connection waits for a lock that this one holds; no more than ten seconds."""
    look = threading.Event()
    for _ in range(1000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            if cursor.fetchone():
                return
        look.wait(0.01)
    raise AssertionError("nobody waits for us")


def in_threads(*works: Callable[[], Any]) -> list[Any]:
    """The results of callers that begin together, each with a database connection of its own."""
    start = threading.Barrier(len(works))

    def caller(work: Callable[[], Any]) -> Any:
        start.wait(timeout=20)
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(caller, works))
