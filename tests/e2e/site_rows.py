"""A row of everything, so that every page has something to show: a race on its morning, and what was done about it."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessFailureLog, AccessLog
from django.contrib.auth.models import AbstractBaseUser, Group
from django_q.models import OrmQ, Schedule, Task
from django_q.signing import SignedPackage

from partners.audit import Action, Actor, audit_note
from partners.models import ApiUsage
from races.models import Event, HeldRemoval, ParticipantChange
from races.share_links import share_link_create
from races.start_list_export import export_make
from sync.models import Backfill, BackfillStep, Cycle, Heartbeat, Policy, SyncRun
from sync.web.exports import heading_now
from tests.e2e.site_pages import Places
from tests.factories import (
    EventFactory,
    EventSyncFactory,
    ParticipantFactory,
    PartnerMembershipFactory,
    RaceAccessFactory,
    RaceFactory,
)

LATE = timedelta(minutes=9)


def site_rows_make(*, staff: AbstractBaseUser, now: datetime) -> Places:
    race = RaceFactory(name="Harbor Lights Half & 5K", city="Portland", state="ME", registration_open=True)
    Heartbeat.objects.create(name="cycle", beat_at=now + timedelta(minutes=10))
    on_time = _event(race, "5K", now=now)
    late = _event(race, "Half Marathon", now=now, due_at=now - LATE, checked_at=now - LATE, failures=2)
    _event(race, "10K", now=now, hold_reason="removals are held", changed_at=now - timedelta(days=9))
    _runs(on_time, late, now=now)
    people = ParticipantFactory.create_batch(5, event=on_time, city="Portland", state="ME", team_name="Casco Gulls")
    ParticipantFactory(event=on_time, bib="7", removed_at=now - timedelta(hours=1), removed_reason="withdrawn")
    export = export_make(
        race=race, event=None, heading=heading_now(race=race, event=None, now=now), format="csv", made_by=staff
    )
    _changes(people[0], now=now)
    HeldRemoval.objects.create(event=late, registration_ids=[1, 2, 3], listed_before=9, found_at=now)
    _link, token = share_link_create(
        race=race, label="Announcer", expires_at=now + timedelta(days=2), created_by=staff, now=now
    )
    _audit_make(race, staff=staff, now=now)
    _records_make(race, now=now)
    return Places(
        partner_slug=race.partner.slug,
        race_pk=race.pk,
        event_pk=on_time.pk,
        participant_pk=people[0].pk,
        export_pk=export.pk,
        share_token=token,
        search="Runner",
    )


def _event(race: Any, name: str, *, now: datetime, **row: Any) -> Event:
    event = EventFactory(race=race, name=name, starts_at=now + timedelta(hours=2), distance=name)
    usual = {
        "tier": "HIGH",
        "due_at": now + timedelta(minutes=10),
        "checked_at": now - timedelta(seconds=20),
        "removals_checked_at": now - timedelta(minutes=3),
        "changed_at": now - timedelta(minutes=20),
        "reconciled_at": now - timedelta(hours=2),
        "listed_count": 5,
        "mirror_count": 5,
    }
    EventSyncFactory(event=event, **{**usual, **row})
    return event


def _runs(good: Event, bad: Event, *, now: datetime) -> None:
    cycle = Cycle.objects.create(
        started_at=now - timedelta(seconds=30), finished_at=now - timedelta(seconds=29), high_due=2, high_picked=2, ok=1
    )
    for minutes in range(6):
        began = now - timedelta(minutes=minutes, seconds=20)
        fields: dict[str, Any] = {"tier": "HIGH", "cycle": cycle, "started_at": began, "calls": 1}
        fields |= {"visit": uuid.uuid4(), "finished_at": began + timedelta(seconds=2)}
        SyncRun.objects.create(
            event=good, outcome="unchanged" if minutes else "ok", added=0 if minutes else 3, **fields
        )
        SyncRun.objects.create(
            event=bad,
            outcome="throttled" if minutes % 2 else "failed",
            error_class="Transient",
            error_text="RunSignUp answered HTTP 502 and no JSON.",
            **fields,
        )


def _changes(person: Any, *, now: datetime) -> None:
    for kind, changes in (("added", {}), ("changed", {"bib": ["", "1207"], "last_name": ["Runner", "Tidewater"]})):
        ParticipantChange.objects.create(participant=person, at=now - timedelta(minutes=5), kind=kind, changes=changes)
    person.bib, person.last_name = "1207", "Tidewater"
    person.save()


def _audit_make(race: Any, *, staff: AbstractBaseUser, now: datetime) -> None:
    by = Actor(user_id=staff.pk, name=staff.get_username(), address="192.0.2.7")
    detail = {"key": "main", "races": 12}
    audit_note(
        action=Action.PARTNER_ONBOARDED, by=by, target=race.partner, detail=detail, now=now - timedelta(minutes=9)
    )
    audit_note(action=Action.SYNC_ASKED, by=by, target=race, detail={"events": 3}, now=now)


def _records_make(race: Any, *, now: datetime) -> None:
    """What only the admin lists."""
    ApiUsage.objects.create(credential=race.credential, minute=now.replace(second=0, microsecond=0), calls=40)
    backfill = Backfill.objects.create(partner=race.partner, started_at=now - timedelta(hours=1))
    BackfillStep.objects.create(backfill=backfill, race=race, rows=900, pages=1)
    RaceAccessFactory(race=race)
    PartnerMembershipFactory(partner=race.partner)
    Group.objects.create(name="Timing crew")
    for login in (AccessLog, AccessFailureLog):
        login.objects.create(username="crew", ip_address="192.0.2.7", user_agent="a browser", path_info="/login/")
    Policy.objects.get_or_create(pk=1)
    Schedule.objects.create(name="cycle again", func="sync.tasks.cycle", cluster="nobody")
    for success in (True, False):
        Task.objects.create(
            id=uuid.uuid4().hex,
            name=f"task {success}",
            func="sync.tasks.cycle",
            started=now,
            stopped=now,
            success=success,
        )
    task = {"id": uuid.uuid4().hex, "name": "waiting", "func": "sync.tasks.cycle", "args": (), "kwargs": {}}
    OrmQ.objects.create(key="nobody", payload=SignedPackage.dumps(task), lock=now)
