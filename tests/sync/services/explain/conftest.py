"""An event of a key two hours before its start, and what is said about it."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest

from races.models import Event
from sync.core.event_facts import EventFacts
from sync.core.explanation import explanation
from sync.core.explanation_past import past_explanation
from sync.core.policy import DEFAULT_POLICY
from sync.core.tiers import zone_of
from sync.core.time_words import Clock
from sync.models import EventSync, Heartbeat, SyncRun
from sync.services.event_schedule import reschedule
from sync.services.explain import event_facts, past_facts
from tests.factories import CredentialFactory, EventFactory, RaceFactory, TimingPartnerFactory

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def database_clock(monkeypatch, now):
    """The database's clock, where the gate and a cycle read it, is the test's."""
    monkeypatch.setattr("partners.gate.database_now", lambda: now)


@pytest.fixture(autouse=True)
def heartbeat(db, now):
    return Heartbeat.objects.create(name="cycle", beat_at=now - 4 * SECOND)


@pytest.fixture
def key(db):
    return CredentialFactory(partner=TimingPartnerFactory(name="Ridgeline"))


@pytest.fixture
def event_of(key, now):
    """An event of the key that starts two hours from now, due in 20 s and checked 40 s ago."""

    def make(*, starts_at: datetime | None = now + timedelta(hours=2), is_placeholder: bool = False, **row):
        event = EventFactory(race=RaceFactory(credential=key), starts_at=starts_at, start_is_placeholder=is_placeholder)
        reschedule(events=[event], now=now)
        row = {"due_at": now + 20 * SECOND, "checked_at": now - 40 * SECOND, **row}
        EventSync.objects.filter(event=event).update(**row)
        return event

    return make


@pytest.fixture
def run_of():
    def make(event, at, **fields):
        fields = {"outcome": "unchanged", "finished_at": at + SECOND, "calls": 1, "tier": "HIGH", **fields}
        return SyncRun.objects.create(event=event, visit=uuid.uuid4(), started_at=at, **fields)

    return make


def _loaded(event) -> Event:
    return Event.objects.select_related("race__credential__partner").get(pk=event.pk)


@pytest.fixture
def facts_of():
    def facts(event, at) -> EventFacts:
        return event_facts(event=_loaded(event), now=at)

    return facts


@pytest.fixture
def said(facts_of):
    """The explanation by label, in the race's zone."""

    def words(event, at) -> dict[str, str]:
        clock = Clock(zone=zone_of(event.race.timezone), now=at)
        lines = explanation(facts_of(event, at), clock=clock, policy=DEFAULT_POLICY)
        return {line.label: line.text for line in lines}

    return words


@pytest.fixture
def past_said(facts_of):
    """What is said of the moment `at`, by label."""

    def words(event, at, now) -> dict[str, str]:
        clock = Clock(zone=zone_of(event.race.timezone), now=now)
        past = past_facts(event=_loaded(event), at=at, now=now)
        lines = past_explanation(facts_of(event, now), past, clock=clock, policy=DEFAULT_POLICY)
        return {line.label: line.text for line in lines}

    return words
