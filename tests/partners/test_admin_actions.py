"""Pause and resume in the admin, of keys and partners: as actions on the lists and as buttons on their pages."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from partners.models import Credential, TimingPartner
from tests.factories import CredentialFactory, TimingPartnerFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def onlooker() -> Client:
    """Staff who may see everything and change nothing."""
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(user)
    return client


def page_of(row) -> str:
    return reverse(f"admin:partners_{row._meta.model_name}_change", args=[row.pk])


def press(client: Client, row, action: str):
    return client.post(reverse(f"admin:partners_{row._meta.model_name}_action", args=[row.pk, action]), follow=True)


def act(client: Client, model, action: str, rows):
    url = reverse(f"admin:partners_{model._meta.model_name}_changelist")
    return client.post(url, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)


def messages_of(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def buttons_of(client: Client, row) -> list[str]:
    return [button.label for button in client.get(page_of(row)).context["object_buttons"]]


def test_a_key_is_paused_and_resumed_by_buttons_and_its_history_says_so(staff):
    key = CredentialFactory()
    assert buttons_of(staff, key) == ["Verify key", "Pause"]

    said = messages_of(press(staff, key, "pause_keys"))

    assert said == (
        f"Paused: {key}. What a lane has begun ends within a minute; what is due waits until it is resumed."
    )
    assert Credential.objects.get().status == "paused"
    assert buttons_of(staff, key) == ["Verify key", "Resume"]
    assert "from the next cycle on, within 10 s" in messages_of(press(staff, key, "resume_keys"))
    assert Credential.objects.get().status == "ok"
    history = LogEntry.objects.order_by("pk").values_list("object_id", "change_message")
    assert list(history) == [(str(key.pk), "Paused."), (str(key.pk), "Resumed.")]


def test_a_refused_key_is_neither_paused_nor_resumed(staff):
    key = CredentialFactory(status="refused")
    assert buttons_of(staff, key) == ["Verify key"]

    assert "A refused key makes no calls anyway." in messages_of(press(staff, key, "pause_keys"))
    assert "resumes when it is verified" in messages_of(press(staff, key, "resume_keys"))
    assert Credential.objects.get().status == "refused"
    assert not LogEntry.objects.exists()


def test_a_partner_is_paused_by_a_button_and_again_is_nothing_new(staff):
    partner = TimingPartnerFactory(name="Ridgeline Timing")

    assert "Paused: Ridgeline Timing." in messages_of(press(staff, partner, "pause_partners"))
    assert "it was so already" in messages_of(press(staff, partner, "pause_partners"))
    assert TimingPartner.objects.get().is_active is False
    assert buttons_of(staff, partner) == ["Resume"]
    press(staff, partner, "resume_partners")
    assert TimingPartner.objects.get().is_active is True
    assert LogEntry.objects.count() == 2


@pytest.mark.parametrize("rows", [1, 50])
def test_an_action_on_many_rows_is_a_handful_of_queries(staff, django_assert_max_num_queries, rows):
    keys = CredentialFactory.create_batch(rows)
    url = reverse("admin:partners_credential_changelist")

    with django_assert_max_num_queries(15):
        staff.post(url, {"action": "pause_keys", "_selected_action": [key.pk for key in keys]})

    assert Credential.objects.filter(status="paused").count() == LogEntry.objects.count() == rows


def test_a_message_names_a_few_and_counts_the_rest(staff):
    partners = TimingPartnerFactory.create_batch(7)

    assert "and 2 more. What a lane has begun" in messages_of(act(staff, TimingPartner, "pause_partners", partners))


def test_too_many_keys_are_not_verified_while_somebody_waits(staff):
    keys = CredentialFactory.create_batch(11)

    assert "Choose at most 10 keys" in messages_of(act(staff, Credential, "verify_keys", keys))


def test_who_may_only_look_sees_no_button_and_no_action_and_can_do_neither(onlooker):
    key = CredentialFactory()
    page = onlooker.get(page_of(key))
    listing = onlooker.get(reverse("admin:partners_credential_changelist")).content.decode()

    assert page.context["object_buttons"] == []
    assert "pause_keys" not in page.content.decode() + listing
    assert press(onlooker, key, "pause_keys").status_code == 403
    act(onlooker, Credential, "pause_keys", [key])
    assert Credential.objects.get().status == "ok"


def test_a_button_is_a_post_with_a_token_and_of_a_known_action_and_row(staff):
    key = CredentialFactory()
    url = reverse("admin:partners_credential_action", args=[key.pk, "pause_keys"])
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(UserFactory(is_staff=True, is_superuser=True))

    assert staff.get(url).status_code == 405
    assert careful.post(url).status_code == 403
    assert press(staff, key, "delete_selected").status_code == 404
    assert staff.post(url.replace(str(key.pk), "999999")).status_code == 404
    assert Credential.objects.get().status == "ok"


def test_partner_and_key_lead_to_the_partners_page_and_it_leads_back(staff):
    key = CredentialFactory(partner__slug="ridgeline")
    for row in (key, key.partner):
        assert '<a href="/partners/ridgeline/" class="viewsitelink">' in staff.get(page_of(row)).content.decode()

    assert f'href="{page_of(key.partner)}"' in staff.get("/partners/ridgeline/").content.decode()
