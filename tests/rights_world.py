"""Two partners with everything that an address can name, one of them foreign to member and director, and a reader of
each role."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from axes.models import AccessFailureLog, AccessLog
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Task
from django_q.tasks import async_task

from partners.audit import Action, audit_note, command_actor
from races.models import HeldRemoval, ParticipantChange, Race, StartListExport
from races.share_links import share_link_create
from sync.models import Backfill, Cycle, Heartbeat, SyncRun
from tests.factories import (
    CredentialFactory,
    EventFactory,
    EventSyncFactory,
    ParticipantFactory,
    PartnerMembershipFactory,
    RaceAccessFactory,
    RaceFactory,
    TimingPartnerFactory,
    UserFactory,
)

# In every name of the foreign side: no page of member or director may hold it. Both sides have people of SURNAME.
FOREIGN_NAME = "Strangeways"
SURNAME = "Tidewater"
NOBODYS_PK = 999_999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """`parts`: for each named part of an address the value that leads to this side's object. `run_pk`: of its event."""

    race: Race
    run_pk: int
    parts: dict[str, Any]

    def parts_of(self, address: str) -> dict[str, Any]:
        """Where the same part stands for another thing at each address."""
        actions = {
            "admin:partners_timingpartner_action": (self.race.partner_id, "pause_partners"),
            "admin:partners_credential_action": (self.race.credential_id, "pause_keys"),
            "admin:races_race_action": (self.race.pk, "sync_now"),
            "admin:auth_user_action": (self.parts["id"], "unlock_logins"),
            "admin:races_event_action": (self.parts["event_pk"], "sync_now"),
        }
        if address not in actions:
            return self.parts
        object_id, action = actions[address]
        return self.parts | {"object_id": object_id, "action": action}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    own: Side
    foreign: Side
    readers: dict[str, Client]


# What leads to nothing. A part that is not here is no object.
MISSING: dict[str, Any] = {
    "race_pk": NOBODYS_PK,
    "event_pk": NOBODYS_PK,
    "participant_pk": NOBODYS_PK,
    "export_pk": NOBODYS_PK,
    "link_pk": NOBODYS_PK,
    "held_id": NOBODYS_PK,
    "object_id": NOBODYS_PK,
    "id": NOBODYS_PK,
    "content_type_id": NOBODYS_PK,
    "slug": "nobody",
    "key_pk": NOBODYS_PK,
    "user_pk": NOBODYS_PK,
    "token": "A" * 43,
}


def rights_world() -> World:
    Heartbeat.objects.create(name="cycle", beat_at=timezone.now())
    own, foreign = _side("Ownbrook"), _side(FOREIGN_NAME)
    _queue()
    _logins()
    return World(own=own, foreign=foreign, readers=_readers(own))


def _logins() -> None:
    """What the throttle of logins keeps, and what the audit does."""
    for model in (AccessLog, AccessFailureLog):
        model.objects.create(username="somebody", ip_address="127.0.0.1", path_info="/login/")
    now = timezone.now()
    audit_note(action=Action.KEY_VERIFIED, by=command_actor(), target=CredentialFactory(), now=now)


def _queue() -> None:
    """Records of the queue: a task that waits, one that went well, one that failed."""
    async_task("math.floor", 1.5)
    now = timezone.now()
    for number, success in enumerate((True, False)):
        Task.objects.create(id=str(number), name="floor", func="math.floor", started=now, stopped=now, success=success)


def _side(name: str) -> Side:
    now = timezone.now()
    partner = TimingPartnerFactory(
        name=f"{name} Timing", slug=name.lower(), contact_email=f"{name}@example.test".lower()
    )
    race = RaceFactory(credential=CredentialFactory(partner=partner), name=f"{name} Races", city=name)
    event = EventFactory(race=race, name=f"{name} 5K", starts_at=now + timedelta(hours=2))
    EventSyncFactory(event=event, tier="HIGH", due_at=now, checked_at=now, removals_checked_at=now)
    person = ParticipantFactory(event=event, first_name=name, last_name=SURNAME, bib="1207")
    maker = UserFactory(username=f"{name.lower()}-maker", email=f"maker@{name.lower()}.example.test")
    run = SyncRun.objects.create(event=event, visit=uuid.uuid4(), started_at=now, finished_at=now, outcome="ok")
    ParticipantChange.objects.create(participant=person, kind="added", at=now, sync_run=run)
    Cycle.objects.create(started_at=now, finished_at=now)
    Backfill.objects.create(partner=partner, race=race, since=now.date(), started_at=now)
    held = HeldRemoval.objects.create(
        event=event, found_at=now, sync_run=run, registration_ids=[person.registration_id], listed_before=1
    )
    link, token = share_link_create(
        race=race, label=name, expires_at=now + timedelta(days=1), created_by=maker, now=now
    )
    export = _export(race, made_by=maker)
    parts = {
        "race_pk": race.pk,
        "event_pk": event.pk,
        "participant_pk": person.pk,
        "export_pk": export.pk,
        "link_pk": link.pk,
        "held_id": held.pk,
        "object_id": race.pk,
        "id": maker.pk,
        "content_type_id": ContentType.objects.get_for_model(Race).pk,
        "slug": partner.slug,
        "token": token,
        "key_pk": race.credential_id,
        "user_pk": maker.pk,
        # A link that was used already.
        "uidb64": "Mw",
        "app_label": "races",
    }
    return Side(race=race, run_pk=run.pk, parts=parts)


def _export(race: Race, *, made_by: Any) -> StartListExport:
    """Made at the door, as people make them."""
    client = Client()
    RaceAccessFactory(race=race, user=made_by)
    client.force_login(made_by)
    response = client.post(reverse("start_list_export", args=[race.pk]), {"format": "csv"})
    assert b"".join(response), response.status_code
    return StartListExport.objects.get(race=race)


def _readers(own: Side) -> dict[str, Client]:
    users = {"superuser": UserFactory(is_staff=True, is_superuser=True), "staff": UserFactory(is_staff=True)}
    for name in ("Onboard", "Operate", "View"):
        users[name] = UserFactory(is_staff=True)
        users[name].groups.add(Group.objects.get(name=name))
    users["member"] = PartnerMembershipFactory(partner=own.race.partner).user
    users["director"] = RaceAccessFactory(race=own.race).user
    readers = {"share link": Client(), "anonymous": Client()}
    for role, user in users.items():
        readers[role] = Client()
        readers[role].force_login(user)
    # Whatever that page leaves in the browser opens nothing else.
    assert readers["share link"].get(reverse("share_page", args=[own.parts["token"]])).status_code == 200
    return readers
