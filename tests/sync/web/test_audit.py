"""Who did what, through the doors at which it is done: each leaves one entry, with who, from where and about what."""

from __future__ import annotations

import os
import pwd
import re
import socket
import time
from types import SimpleNamespace

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.forms.models import model_to_dict
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from partners.audit import Action
from partners.models import AuditEntry, Credential, PartnerMembership
from races.held_removals import fingerprint
from races.models import HeldRemoval, RaceAccess, ShareLink, StartListExport
from sync.models import EventSync, Policy
from sync.services.erasure import partner_erase
from tests.factories import CredentialFactory, ParticipantFactory, TimingPartnerFactory, UserFactory

pytestmark = pytest.mark.django_db

ADDRESS = "192.0.2.7"
PASSWORD = "harbour-lights-0517"


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


def press(at, row, action):
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_action", args=[row.pk, action])
    assert at.client.post(url).status_code == 302


def save(at, row, **fields):
    """The form of a row, with these fields changed."""
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    filled = {name: value for name, value in (model_to_dict(row) | fields).items() if value not in (None, False)}
    if "password" in filled:
        joined = {"date_joined_0": row.date_joined.date(), "date_joined_1": row.date_joined.time()}
        filled |= joined | {f"initial-{name}": value for name, value in joined.items()}
    # What the page of a partner has for the list of its keys.
    answer = at.client.post(url, filled | {"credentials-TOTAL_FORMS": 0, "credentials-INITIAL_FORMS": 0})
    assert answer.status_code == 302, answer.context["adminform"].errors


def add(at, table, **fields):
    answer = at.client.post(reverse(f"admin:{table}_add"), fields)
    assert answer.status_code == 302, answer.context["adminform"].errors


def delete(at, row):
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_delete", args=[row.pk])
    assert at.client.post(url, {"post": "yes"}).status_code == 302


def export(at, event=""):
    answer = at.client.post(reverse("start_list_export", args=[at.race.pk]), {"format": "csv", "event": event})
    assert answer.status_code == 200
    return StartListExport.objects.get()


def share(at):
    url = reverse("share_links", args=[at.race.pk])
    assert at.client.post(url, {"label": "Announcer", "until": "2026-06-07"}).status_code == 200
    return ShareLink.objects.get()


def revoke(at):
    at.client.post(reverse("share_link_revoke", args=[at.race.pk, share(at).pk]))


def pause_then_resume(at, row, kind):
    press(at, row, f"pause_{kind}")
    press(at, row, f"resume_{kind}")


def decide(at, word):
    held = HeldRemoval.objects.create(
        event=at.event, registration_ids=[1], listed_before=9, found_at=at.event.starts_at
    )
    url = reverse(f"admin:races_heldremoval_{word}", args=[held.pk])
    assert at.client.post(url, {"shown": fingerprint(held)}).status_code == 302


def change_policy(at):
    row, _made = Policy.objects.get_or_create(pk=1)
    save(at, row, high_cap=41)


def log_in(at, password=PASSWORD):
    Client(REMOTE_ADDR=ADDRESS).post(reverse("login"), {"username": "bo", "password": password})


def set_password(at):
    url = reverse("admin:auth_user_password_change", args=[at.bo.pk])
    typed = {"usable_password": "true", "password1": "casco-bay-9931", "password2": "casco-bay-9931"}
    assert at.client.post(url, typed).status_code == 302


def member(at):
    return PartnerMembership.objects.create(user=at.bo, partner=at.partner)


def operators(at):
    return Group.objects.create(name="Night shift")


def change_group(at):
    save(at, operators(at), permissions=[Permission.objects.get(codename="view_race").pk])


def give_group(at):
    save(at, at.bo, groups=[operators(at).pk], is_superuser="on", email="bo@example.test")


def leave(at, data="keep"):
    typed = {"data": data, "slug": at.partner.slug}
    assert at.client.post(reverse("partner_leave", args=[at.partner.slug]), typed).status_code == 302


def invite(at, email="mara@example.test", **fields):
    url = reverse("partner_access", args=[at.partner.slug])
    assert at.client.post(url, {"email": email, "scope": "all"} | fields).status_code == 302


def mara(at):
    return UserFactory(username="mara", email="mara@example.test")


def invite_mara(at, **fields):
    mara(at)
    invite(at, **fields)


def of_person(at, page, user):
    assert at.client.post(reverse(page, args=[at.partner.slug, user.pk])).status_code == 302


def invite_again(at):
    person = PartnerMembership.objects.create(user=mara(at), partner=at.partner).user
    of_person(at, "invitation_again", person)


def take_race(at):
    of_person(at, "access_take", RaceAccess.objects.create(user=mara(at), race=at.race).user)


def choose(at, *ticked):
    url = reverse("partner_races_choose", args=[at.partner.slug])
    assert at.client.post(url, {"shown": [at.race.pk], "race": ticked}).status_code == 302


def choose_none_then_all(at):
    choose(at)
    choose(at, at.race.pk)


def second_factor_on(at):
    """Its recovery codes, as they are shown."""
    device = TOTPDevice.objects.create(user=at.anna, confirmed=False)
    app = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    app.time = time.time()
    page = at.client.post(reverse("second_factor_confirm"), {"code": f"{app.token():06}"})
    return re.findall(r"<code>([a-z2-7-]+)</code>", page.content.decode())


def with_recovery_code(at, page):
    code = second_factor_on(at)[0]
    assert at.client.post(reverse(page), {"code": code}).status_code in {200, 302}


def reset_second_factor(at):
    TOTPDevice.objects.create(user=at.bo, confirmed=True)
    press(at, at.bo, "reset_second_factors")


def unlock(at):
    log_in(at, password="not-this-one-0517")
    press(at, at.bo, "unlock_logins")


RACE, EVENT, KEY, PARTNER = "Casco Bay Races", "5K of Casco Bay Races", "Ridgeline · main", "Ridgeline"

# What is done, what is noted of it: the action, about what, and details.
DOORS = {
    "partner_changed": (
        lambda at: save(at, at.partner, contact_email="new@example.test"),
        (PARTNER, {"fields": "contact_email"}),
    ),
    "partner_paused": (lambda at: press(at, at.partner, "pause_partners"), (PARTNER, {})),
    "partner_resumed": (lambda at: pause_then_resume(at, at.partner, "partners"), (PARTNER, {})),
    "partner_deleted": (lambda at: delete(at, TimingPartnerFactory(name="Seacoast")), ("Seacoast", {})),
    "partner_left": (leave, (PARTNER, {"keys": 1, "people": 0})),
    "erasure_asked": (lambda at: leave(at, "erase"), (PARTNER, {})),
    "key_changed": (lambda at: save(at, at.key, hourly_limit=500), (KEY, {"hourly_limit": [1000, 500]})),
    "key_paused": (lambda at: press(at, at.key, "pause_keys"), (KEY, {})),
    "key_resumed": (lambda at: pause_then_resume(at, at.key, "keys"), (KEY, {})),
    "key_deleted": (
        lambda at: delete(at, CredentialFactory(partner=at.partner, label="old")),
        ("Ridgeline · old", {}),
    ),
    "discovery_asked": (
        lambda at: at.client.post(
            reverse("admin:partners_credential_changelist"),
            {"action": "discover_keys", "_selected_action": [at.key.pk]},
        ),
        (KEY, {}),
    ),
    "race_paused": (lambda at: press(at, at.race, "pause_races"), (RACE, {})),
    "race_resumed": (lambda at: pause_then_resume(at, at.race, "races"), (RACE, {})),
    "sync_asked": (lambda at: at.client.post(reverse("sync_now", args=[at.race.pk])), (RACE, {"events": 1})),
    "comparison_asked": (lambda at: press(at, at.event, "reconcile"), (EVENT, {})),
    "removal_confirmed": (lambda at: decide(at, "confirm"), (EVENT, {"people": 0})),
    "removal_discarded": (lambda at: decide(at, "discard"), (EVENT, {"people": 0})),
    "policy_changed": (change_policy, ("Scheduling policy", {"high_cap": [50, 41]})),
    "list_exported": (lambda at: export(at), (RACE, {"event": "all", "format": "csv", "rows": 2})),
    "list_downloaded": (
        lambda at: at.client.get(reverse("export_download", args=[at.race.pk, export(at, at.event.pk).pk])),
        (RACE, {"event": "5K", "rows": 2}),
    ),
    "changes_downloaded": (
        lambda at: at.client.get(reverse("export_changes_csv", args=[at.race.pk, export(at).pk])),
        (RACE, {"event": "all"}),
    ),
    "link_made": (share, (RACE, {"until": "2026-06-08 04:00 UTC"})),
    "link_revoked": (revoke, (RACE, {})),
    "access_given": (
        lambda at: add(at, "partners_partnermembership", user=at.bo.pk, partner=at.partner.pk),
        (PARTNER, {"person": "bo"}),
    ),
    "access_taken": (
        lambda at: delete(at, RaceAccess.objects.create(user=at.bo, race=at.race)),
        (RACE, {"person": "bo"}),
    ),
    "invitation_sent": (invite_mara, (PARTNER, {"person": "mara", "sees": "all races of Ridgeline"})),
    "invitation_sent_again": (invite_again, (PARTNER, {"person": "mara"})),
    "account_added": (
        lambda at: add(at, "auth_user", username="cy", usable_password="true", password1=PASSWORD, password2=PASSWORD),
        ("cy", {}),
    ),
    "account_changed": (
        give_group,
        ("bo", {"groups": ["", "Night shift"], "is_superuser": [False, True], "fields": "email"}),
    ),
    "account_deleted": (lambda at: delete(at, at.bo), ("bo", {})),
    "group_added": (lambda at: add(at, "auth_group", name="Night shift"), ("Night shift", {})),
    "group_changed": (change_group, ("Night shift", {"permissions": ["", "view_race"]})),
    "group_deleted": (lambda at: delete(at, operators(at)), ("Night shift", {})),
    "login_unlocked": (unlock, ("bo", {})),
    "second_factor_on": (second_factor_on, ("anna", {})),
    "second_factor_off": (lambda at: with_recovery_code(at, "second_factor_off"), ("anna", {})),
    "second_factor_reset": (reset_second_factor, ("bo", {})),
    "recovery_codes_renewed": (lambda at: with_recovery_code(at, "recovery_codes"), ("anna", {})),
}
# The same is also done on a page of the partner.
FURTHER_DOORS = [
    ("race_paused", choose, (RACE, {})),
    ("race_resumed", choose_none_then_all, (RACE, {})),
    ("access_given", invite_mara, (PARTNER, {"person": "mara"})),
    ("access_given", lambda at: invite_mara(at, scope="some", race=[at.race.pk]), (RACE, {"person": "mara"})),
    ("access_taken", take_race, (RACE, {"person": "mara"})),
    (
        "access_taken",
        lambda at: of_person(at, "access_take", member(at).user),
        (PARTNER, {"person": "bo"}),
    ),
]
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
