"""Where what is noted in the audit is done: each door takes the place, with its `client`, and what is there."""

from __future__ import annotations

import re
import time

from django.contrib.auth.models import Group, Permission
from django.forms.models import model_to_dict
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from partners.models import PartnerMembership
from races.held_removals import fingerprint
from races.models import HeldRemoval, RaceAccess, ShareLink, StartListExport
from sync.models import Policy
from tests.factories import CredentialFactory, TimingPartnerFactory, UserFactory

ADDRESS = "192.0.2.7"
PASSWORD = "harbour-lights-0517"


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
