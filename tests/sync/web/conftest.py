"""Readers of the pages, and the clock of the views."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from partners.rights import GROUPS
from sync.models import Heartbeat, SyncRun
from tests.factories import (
    EventFactory,
    EventSyncFactory,
    PartnerMembershipFactory,
    RaceAccessFactory,
    RaceFactory,
    UserFactory,
)


@pytest.fixture(autouse=True)
def view_clock(monkeypatch, now):
    for views in ("views", "operations_views", "partner_views"):
        monkeypatch.setattr(f"sync.web.{views}.database_now", lambda: now)


@pytest.fixture
def heartbeat(db, now):
    return Heartbeat.objects.create(name="cycle", beat_at=now - timedelta(seconds=7))


@pytest.fixture
def race(db):
    return RaceFactory(name="Casco Bay Races", city="Portland", state="ME")


@pytest.fixture
def director(race):
    return RaceAccessFactory(race=race).user


@pytest.fixture
def member(race):
    return PartnerMembershipFactory(partner=race.partner).user


@pytest.fixture
def stranger(db):
    """Somebody of another partner, with a race of their own."""
    return PartnerMembershipFactory(partner=RaceFactory().partner).user


@pytest.fixture
def staff(db):
    """With the rights of all groups."""
    user = UserFactory(is_staff=True)
    user.groups.set(Group.objects.filter(name__in=GROUPS))
    return user


@pytest.fixture
def log_in():
    """A browser in which this user has logged in."""

    def logged_in(user) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return logged_in


@pytest.fixture
def scheduled(race, now):
    """Events of `race` that start in two hours and were checked 40 s ago; keywords change their schedule row."""

    def make(name: str = "5K", **row):
        event = EventFactory(race=race, name=name, starts_at=now + timedelta(hours=2))
        row = {
            "tier": "HIGH",
            "due_at": now + timedelta(seconds=20),
            "checked_at": now - timedelta(seconds=40),
            "removals_checked_at": now - timedelta(seconds=160),
            "changed_at": now - timedelta(minutes=9),
            **row,
        }
        EventSyncFactory(event=event, **row)
        return event

    return make


@pytest.fixture
def run_of(now):
    """A finished run of an event, `ago` before now."""

    def make(event, *, ago: timedelta = timedelta(seconds=40), **fields):
        started = now - ago
        fields = {
            "outcome": "unchanged",
            "finished_at": started + timedelta(seconds=1.5),
            "calls": 1,
            "tier": "HIGH",
            **fields,
        }
        return SyncRun.objects.create(event=event, visit=uuid.uuid4(), started_at=started, **fields)

    return make
