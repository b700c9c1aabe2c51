""" "Test key" in the admin: the answer before anything is saved, over real HTTP against the sandbox."""

from __future__ import annotations

import html

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ

from partners.models import Credential, TimingPartner
from partners.secret import Secret
from tests.factories import CredentialFactory, UserFactory
from tests.partners.sandbox_keys import first_key, serve, small_world, what_it_sees

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "admin:partners_timingpartner_add"
CANARY = "canary-secret-91c7d2e0"


@pytest.fixture
def world():
    return small_world()


@pytest.fixture
def key(world):
    return first_key(world)


@pytest.fixture(autouse=True)
def provider(world, settings):
    with serve(world) as server:
        settings.RUNSIGNUP_URL = server.url
        yield server


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def entry(key, **changes) -> dict[str, str]:
    # No name yet: a key is tested before the rest is known.
    fields = {"name": "", "timezone": "America/Denver", "api_key": key.key, "secret": key.secret, "key_style": "query"}
    return fields | {"_test": "1"} | changes


def test_it_says_what_the_key_sees_and_stores_nothing(staff, key, provider):
    sees = what_it_sees(provider.url, key)
    page = html.unescape(staff.post(reverse(ADD), entry(key)).content.decode())

    assert "The key works." in page
    assert sees.detail in page
    assert f"<dd>{sees.races}</dd>" in page
    assert "<dd>readable</dd>" in page
    assert f"Next races: {sees.upcoming_races[0][1]}" in page
    assert "<dd>not set. RunSignUp demands it from 2027-01-01 on" in page
    assert not TimingPartner.objects.exists()
    assert not OrmQ.objects.exists()


def test_what_was_typed_stays_but_for_the_secret_which_the_page_says(staff, key):
    page = staff.post(reverse(ADD), entry(key, secret=CANARY, contact_email="mara@example.test")).content.decode()

    assert 'value="mara@example.test"' in page
    assert f'value="{key.key}"' in page
    assert "Type the secret again before you save" in page
    assert CANARY not in page
    # An empty name is no error of a test.
    assert "This field is required" not in page


def test_the_caller_registration_is_named_when_it_is_set(staff, key, settings):
    settings.RUNSIGNUP_REG, settings.RUNSIGNUP_REG_SECRET = "reg-1", "reg-secret-0000"
    assert "<dt>Caller registration</dt><dd>set</dd>" in staff.post(reverse(ADD), entry(key)).content.decode()


VERDICTS = {
    "wrong key": ({"error": 6}, "Wrong key or secret", "copy both again"),
    "no access": ({"error": 7}, "No access", "add the company to their races"),
    "unreachable": ({"drop": True}, "RunSignUp not reached", "check the network and RUNSIGNUP_URL"),
    "throttled": ({"status": 429, "retry_after": "600"}, "Throttled", "Try again in 10 minutes"),
    "caller": ({"error": 17, "status": 400}, "Caller registration refused", "Set RUNSIGNUP_REG"),
    "in part": ({"endpoint": "participants", "error": 7}, "The key works in part", "director to give your company"),
}


@pytest.mark.parametrize(("fault", "verdict", "what_to_do"), VERDICTS.values(), ids=VERDICTS)
def test_it_says_which_failure_it_is_and_what_to_do(staff, key, world, fault, verdict, what_to_do):
    world.faults.add(**fault)
    page = staff.post(reverse(ADD), entry(key)).content.decode()
    assert f"<strong>{verdict}.</strong>" in page
    assert what_to_do in page


def test_without_key_or_secret_nobody_is_asked(staff, key, world):
    page = staff.post(reverse(ADD), entry(key, secret="")).content.decode()
    assert "Nothing to test" in page
    assert len(world.ledger.calls()) == 0


def test_a_further_key_is_tested_on_its_own_form(staff, key):
    partner = CredentialFactory().partner
    fields = entry(key) | {"partner": partner.pk, "label": "second", "hourly_limit": "1000"}
    page = staff.post(reverse("admin:partners_credential_add"), fields).content.decode()
    assert "The key works." in page
    assert 'value="second"' in page
    assert Credential.objects.count() == 1


def test_a_stored_key_is_named_and_not_asked(staff, key, world):
    CredentialFactory(api_key=key.key, api_secret=Secret(key.secret))
    page = staff.post(reverse(ADD), entry(key)).content.decode()
    assert "<strong>Stored already.</strong>" in page
    assert len(world.ledger.calls()) == 0


def test_who_may_only_look_tests_no_key(key, world):
    viewer = UserFactory(is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_timingpartner"))
    client = Client()
    client.force_login(viewer)
    assert client.post(reverse(ADD), entry(key)).status_code == 403
    assert len(world.ledger.calls()) == 0


def test_saving_opens_the_partners_page_and_asks_for_its_races_and_their_history(staff, key):
    fields = {**entry(key, name="Ridgeline Timing"), "alert_email": "alerts@example.test"}
    del fields["_test"]
    saved = staff.post(reverse(ADD), fields, follow=True)

    assert saved.redirect_chain[-1][0] == reverse("partner_page", args=["ridgeline-timing"])
    page = saved.content.decode()
    assert "Its races are being looked for: 0 races found so far." in page
    assert "it has no contact address" in page
    assert "it has no alert address" not in page
    task = OrmQ.objects.get().task
    assert (task["func"], task["args"][2]) == ("sync.tasks.discovery", True)
