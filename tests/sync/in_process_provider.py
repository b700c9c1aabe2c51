"""The sandbox without a network, and a mirror whose time a test decides: thousands of syncs a minute, none of them
waits. What a lane does is real: leases, gate, pages, transactions, outcomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from urllib.parse import urlencode

import pytest
from django.db import transaction

from partners import providers
from partners.models import CallBudget, Credential
from partners.runsignup.answer import Answer
from partners.runsignup.errors import Transient
from partners.runsignup.sandbox import World
from partners.runsignup.sandbox.answers import read_question
from partners.runsignup.sandbox.responses import respond
from races.models import Event, Race
from sync.models import EventSync, SyncRun
from sync.services import lanes, leases, visit_outcomes, visits
from sync.services.lanes import lane_run
from sync.services.leases import lost_close

BEGINS = datetime(2026, 6, 6, 10, 0, tzinfo=UTC)


@dataclass
class VirtualClock:
    now: datetime = BEGINS

    def seconds(self) -> float:
        return self.now.timestamp()

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Killed(BaseException):
    """The process ends here: nothing of ours catches it."""


@dataclass
class InProcess:
    """A transport of the stored key. `before` sees the number of each call of a sync, from 1 on."""

    world: World
    credential: Credential
    before: Callable[[int], None]
    calls: int = 0

    def get(self, path: str, params: Mapping[str, str]) -> Answer:
        self.calls += 1
        self.before(self.calls)
        query = {**params, "format": "json", "api_key": self.credential.api_key}
        query["api_secret"] = self.credential.api_secret.reveal()
        question = read_question(f"/rest{path}", urlencode(query), {})
        assert question is not None
        fault = self.world.faults.take(
            endpoint=question.endpoint, key=question.key, race_id=question.race_id, event_ids=question.event_ids
        )
        if fault is not None and fault.drop:
            raise Transient("there was no connection, or it broke.")
        response = respond(self.world, question, throttled=False, fault=fault, gzip_accepted=False)
        if response.declared is not None:
            raise Transient("its answer was cut off or damaged.")
        headers = {name.lower(): value for name, value in response.headers.items()}
        headers |= {"date": formatdate(self.world.now(), usegmt=True), "content-type": response.content_type}
        return Answer(status=response.status, headers=headers, body=response.body)

    def close(self) -> None:
        pass


@dataclass
class Mirror:
    """Our side: the key, the world that it asks, the clock, and what happens between the calls of a sync."""

    credential: Credential
    world: World = field(init=False)
    clock: VirtualClock = field(init=False)
    before_call: Callable[[int], None] = lambda _number: None

    def begin(self, world: World, clock: VirtualClock) -> None:
        self.world, self.clock, self.before_call = world, clock, lambda _number: None

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for module in (visits, visit_outcomes, lanes, leases):
            patch.setattr(module, "database_now", lambda: self.clock.now)
        patch.setattr(
            providers,
            "make_transport",
            lambda credential: InProcess(self.world, credential, lambda number: self.before_call(number)),
        )

    def know(self, race_id: int, event_ids: list[int]) -> list[Event]:
        """What discovery would have stored of them; every event is HIGH."""
        race = Race.objects.create(
            partner=self.credential.partner,
            credential=self.credential,
            provider_race_id=race_id,
            name=f"Race {race_id}",
            timezone="America/New_York",
        )
        starts = self.clock.now + timedelta(hours=2)
        events = [
            Event.objects.create(race=race, provider_event_id=event_id, name=f"Event {event_id}", starts_at=starts)
            for event_id in event_ids
        ]
        EventSync.objects.bulk_create(
            EventSync(event=event, credential=self.credential, tier="HIGH", due_at=self.clock.now) for event in events
        )
        return events

    def recover(self, race: Race) -> None:
        """What people and discovery do after faults: the key works, the race and its events are there."""
        Credential.objects.filter(pk=self.credential.pk).update(status=Credential.Status.OK)
        Race.objects.filter(pk=race.pk).update(gone_at=None)
        Event.objects.filter(race=race).update(gone_at=None)
        self.refill()

    def refill(self) -> None:
        """The budget's clock is the database's: here nobody waits for it."""
        CallBudget.objects.update(
            theoretical_arrival_at=None, paused_until=None, rate_per_hour=None, rate_changed_at=None, calls_in_flight=[]
        )

    def sync(self, race: Race) -> list[SyncRun]:
        """A cycle picks every event of the race, its lane visits them; their runs.

        A lane that is killed is found dead: its leases end, the next cycle closes what it left open.
        """
        self.refill()
        last = SyncRun.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        EventSync.objects.filter(event__race=race).update(due_at=self.clock.now, picked_at=self.clock.now, tier="HIGH")
        try:
            lane_run(credential_id=self.credential.pk)
        except Killed:
            self.clock.pass_time(61)
            with transaction.atomic():
                lost_close(now=self.clock.now)
        return list(SyncRun.objects.filter(pk__gt=last).order_by("pk"))

    def forget(self, race: Race) -> None:
        """No later cycle picks it."""
        EventSync.objects.filter(event__race=race).update(due_at=None, picked_at=None)
