"""Who did what, through the doors at which it is done: each leaves one entry, with who, from where and about what."""

from __future__ import annotations

import os
import pwd
import socket
from types import SimpleNamespace

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from partners.audit import Action
from partners.models import AuditEntry, Credential, PartnerMembership
from sync.models import EventSync
from sync.services.erasure import partner_erase
from tests.factories import ParticipantFactory, TimingPartnerFactory, UserFactory
from tests.sync.web.audit_doors import (
    ADDRESS,
    DOORS,
    FURTHER_DOORS,
    KEY,
    PARTNER,
    PASSWORD,
    change_policy,
    choose,
    delete,
    invite,
    invite_mara,
    leave,
    log_in,
    member,
    of_person,
    press,
    save,
    set_password,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(race, scheduled, now, monkeypatch):
    """A race with a list, and somebody who may do everything, in a browser."""
    monkeypatch.setattr("sync.web.share_views.database_now", lambda: now)
    race.partner.name = "Ridgeline"
    race.partner.save()
    event = scheduled("5K")
    ParticipantFactory.create_batch(2, event=event)
    anna = UserFactory(username="anna", is_staff=True, is_superuser=True)
    client = Client(REMOTE_ADDR=ADDRESS)
    client.force_login(anna)
    bo = UserFactory(username="bo", is_staff=True, date_joined=now)
    bo.set_password(PASSWORD)
    bo.save()
    return SimpleNamespace(
        race=race, partner=race.partner, key=race.credential, event=event, client=client, anna=anna, bo=bo
    )


# These are in tests of their own: they need the provider, or nobody is logged in.
ELSEWHERE = {
    "partner_onboarded", "key_added", "key_verified", "secret_changed", "backfill_started", "pruned", "logged_in",
    "login_failed", "key_replaced", "erasure_finished", "secrets_rotated", "secrets_discarded",
}  # fmt: skip


def test_every_action_that_can_be_noted_has_its_door_here():
    assert sorted([*DOORS, *ELSEWHERE]) == sorted(Action.values)


@pytest.mark.parametrize(
    ("action", "door", "expected"), [*((action, *rest) for action, rest in DOORS.items()), *FURTHER_DOORS]
)
def test_what_somebody_does_is_noted_with_who_from_where_and_about_what(place, action, door, expected):
    about, detail = expected
    before = set(AuditEntry.objects.values_list("pk", flat=True))

    door(place)

    entry = AuditEntry.objects.exclude(pk__in=before).get(action=action)
    assert entry.object_text == about
    assert (entry.user_id, entry.username, entry.address) == (place.anna.pk, "anna", ADDRESS)
    assert {name: entry.detail.get(name) for name in detail} == detail
    assert "@" not in str(entry.detail)


def test_what_belongs_to_a_partner_is_on_its_page_and_in_the_admins_list_of_it(place):
    press(place, place.key, "pause_keys")
    press(place, place.event, "sync_now")
    change_policy(place)

    page = place.client.get(reverse("partner_page", args=[place.partner.slug])).content.decode()
    listed = place.client.get(reverse("admin:partners_auditentry_changelist"), {"partner": place.partner.slug})

    assert [line in page for line in ("paused a key", "changed the policy", ADDRESS)] == [True, False, True]
    texts = [entry.object_text for entry in listed.context["cl"].result_list]
    assert sorted(texts) == [KEY]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"action": "key_paused"}, ["key_paused"]),
        ({"q": "casco"}, ["sync_asked"]),
        ({"q": "anna", "action": "sync_asked"}, ["sync_asked"]),
        ({"user": "0"}, []),
        ({"user": "nobody", "action": "key_paused"}, ["key_paused"]),
    ],
)
def test_the_list_is_found_by_action_user_and_words(place, asked, found):
    press(place, place.key, "pause_keys")
    EventSync.objects.update(checked_at=None)
    Credential.objects.update(status="ok")
    place.client.post(reverse("event_sync_now", args=[place.race.pk, place.event.pk]))

    answer = place.client.get(reverse("admin:partners_auditentry_changelist"), asked)

    assert [entry.action for entry in answer.context["cl"].result_list] == found


def test_nobody_adds_changes_or_deletes_an_entry_superusers_neither(place):
    entry = AuditEntry.objects.latest("pk")
    change, remove = (reverse(f"admin:partners_auditentry_{what}", args=[entry.pk]) for what in ("change", "delete"))

    assert place.client.get(change).status_code == 200
    assert place.client.post(change, {"username": "somebody"}).status_code == 403
    assert place.client.post(remove, {"post": "yes"}).status_code == 403
    assert place.client.get(reverse("admin:partners_auditentry_add")).status_code == 403
    assert set(Permission.objects.filter(codename__endswith="auditentry").values_list("codename", flat=True)) == {
        "view_auditentry"
    }


def test_staff_with_the_right_to_look_read_it_and_others_do_not(place):
    url, reader = reverse("admin:partners_auditentry_changelist"), Client()
    reader.force_login(place.bo)
    assert reader.get(url).status_code == 403

    place.bo.user_permissions.add(Permission.objects.get(codename="view_auditentry"))

    assert reader.get(url).status_code == 200


def test_another_person_in_a_membership_is_access_taken_and_access_given(place):
    save(place, member(place), user=place.anna.pk)

    entries = AuditEntry.objects.filter(action__startswith="access_").order_by("pk")
    assert [(entry.action, entry.detail["person"]) for entry in entries] == [
        ("access_taken", "bo"),
        ("access_given", "anna"),
    ]


def test_many_memberships_deleted_at_once_are_noted_one_by_one(place):
    rows = [member(place), PartnerMembership.objects.create(user=place.anna, partner=place.partner)]
    url = reverse("admin:partners_partnermembership_changelist")
    chosen = {"action": "delete_selected", "_selected_action": [row.pk for row in rows], "post": "yes"}

    place.client.post(url, chosen)

    people = AuditEntry.objects.filter(action="access_taken").values_list("detail__person", flat=True)
    assert sorted(people) == ["anna", "bo"]


def test_a_password_that_staff_set_is_noted_and_not_shown(place):
    set_password(place)

    assert AuditEntry.objects.get(action="account_changed").detail == {"fields": "password"}


def test_a_click_that_changes_nothing_is_not_noted(place):
    place.client.post(reverse("sync_now", args=[place.race.pk]))
    place.client.post(reverse("sync_now", args=[place.race.pk]))
    press(place, place.key, "resume_keys")
    save(place, place.race, sync_enabled="on")

    noted = AuditEntry.objects.exclude(action="logged_in").values_list("action", flat=True)
    assert list(noted) == ["sync_asked"]


def test_what_could_not_be_done_is_not_noted(place, monkeypatch):
    def broken(**_options):
        raise RuntimeError

    monkeypatch.setattr("sync.services.policies.schedules_ensure", broken)
    with pytest.raises(RuntimeError):
        change_policy(place)

    assert not AuditEntry.objects.filter(action="policy_changed").exists()


def test_what_cannot_be_noted_is_not_done(place, monkeypatch):
    def broken(**_options):
        raise RuntimeError

    monkeypatch.setattr("partners.object_actions.audit_note_all", broken)
    with pytest.raises(RuntimeError):
        press(place, place.key, "pause_keys")

    assert Credential.objects.get().status == "ok"


def test_logins_of_staff_are_noted_those_of_others_are_not(place, director):
    log_in(place)
    Client().force_login(director)

    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.username, entry.object_text) == ("logged_in", "bo", "bo")
    assert (entry.address, entry.partner) == (ADDRESS, None)


def test_failed_logins_name_the_account_once_a_minute_and_never_what_was_typed(place):
    for _ in range(3):
        log_in(place, password="canary-5d1c")
    Client().post(reverse("login"), {"username": "canary-5d1c", "password": "bo"})

    entry = AuditEntry.objects.get(action="login_failed")
    assert (entry.user, entry.username, entry.object_text, entry.address) == (None, "", "bo", ADDRESS)
    assert not AuditEntry.objects.filter(object_text__contains="canary").exists()


@pytest.mark.parametrize(
    ("command", "action", "about"),
    [(["prune"], "pruned", ""), (["backfill", "--partner", "idle"], "backfill_started", "Idle")],
)
def test_a_command_is_noted_with_the_machines_user(db, command, action, about, monkeypatch):
    TimingPartnerFactory(slug="idle", name="Idle")
    monkeypatch.setenv("SUDO_USER", "cy")
    monkeypatch.setenv("LOGNAME", "somebody-else")

    call_command(*command)

    entry = AuditEntry.objects.get()
    name = pwd.getpwuid(os.getuid()).pw_name
    assert (entry.action, entry.object_text, entry.user) == (action, about, None)
    assert (entry.username, entry.address) == (f"{name} (sudo by cy)", f"command line of {socket.gethostname()}")


def test_a_person_whose_user_name_is_an_address_is_noted_by_number(place):
    invite(place, "cy@example.test")
    cy = User.objects.get(username="cy@example.test")
    of_person(place, "access_take", cy)
    delete(place, cy)

    entries = AuditEntry.objects.order_by("pk").exclude(action="logged_in")
    number, values = f"account {cy.pk}", entries.values_list("action", "object_text", "detail__person")
    assert list(values) == [
        ("account_added", number, None),
        ("access_given", PARTNER, number),
        ("invitation_sent", PARTNER, number),
        ("access_taken", PARTNER, number),
        ("account_deleted", number, None),
    ]


def test_what_pages_change_nothing_by_is_not_noted_again(place):
    invite_mara(place)
    leave(place, "erase")
    choose(place)
    noted = AuditEntry.objects.count()

    leave(place, "erase")
    choose(place)
    press(place, place.bo, "unlock_logins")
    press(place, place.bo, "reset_second_factors")

    assert AuditEntry.objects.count() == noted


def test_the_end_of_an_erasure_is_noted_with_the_clusters_machine_and_stays(place):
    leave(place, "erase")
    partner_erase(partner_id=place.partner.pk)

    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.object_text, entry.partner_id) == ("erasure_finished", PARTNER, None)
    assert (entry.user_id, entry.address) == (None, f"cluster on {socket.gethostname()}")


def test_secrets_encrypted_anew_and_discarded_are_counted(place, settings):
    first = settings.CREDENTIAL_KEYS[0]
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode(), first]
    call_command("rotate_keys")
    call_command("rotate_keys")
    settings.CREDENTIAL_KEYS = [first]
    call_command("rotate_keys", "--discard-unreadable", "1")

    noted = AuditEntry.objects.filter(action__startswith="secrets_").order_by("pk")
    assert [(entry.action, entry.detail, entry.user_id) for entry in noted] == [
        ("secrets_rotated", {"secrets": 1}, None),
        ("secrets_discarded", {"secrets": 1}, None),
    ]


def test_a_look_before_a_command_is_not_noted(db):
    call_command("prune", "--dry-run")

    assert not AuditEntry.objects.exists()
