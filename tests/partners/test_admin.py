"""The admin of partners and keys, through its pages, against the sandbox."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ

from partners.models import ApiUsage, AuditEntry, Credential, TimingPartner, TrialCall
from partners.secret import Secret
from tests.factories import CredentialFactory, PartnerMembershipFactory, RaceFactory, TimingPartnerFactory, UserFactory
from tests.partners.sandbox_keys import first_key, serve, small_world, what_it_sees

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "canary-secret-91c7d2e0"


@pytest.fixture
def world():
    return small_world()


@pytest.fixture
def key(world):
    return first_key(world)


@pytest.fixture
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
    fields = {
        "name": "Ridgeline Timing",
        "contact_email": "crew@example.test",
        "timezone": "America/Denver",
        "api_key": key.key,
        "secret": key.secret,
        "key_style": "query",
    }
    return fields | changes


def stored_key(key, **fields) -> Credential:
    return CredentialFactory(api_key=key.key, api_secret=Secret(key.secret), **fields)


def change_url(row) -> str:
    return reverse(f"admin:partners_{row._meta.model_name}_change", args=[row.pk])


def problems(answer) -> str:
    form = answer.context["adminform"].form
    return " ".join(text for texts in form.errors.values() for text in texts)


def messages_of(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def test_one_form_stores_a_partner_and_its_tested_key_and_asks_for_its_races(staff, key, provider):
    sees = what_it_sees(provider.url, key)
    answer = staff.post(reverse("admin:partners_timingpartner_add"), entry(key), follow=True)

    partner = TimingPartner.objects.get()
    credential = partner.credentials.get()
    assert (partner.slug, partner.timezone) == ("ridgeline-timing", "America/Denver")
    assert credential.status == Credential.Status.OK
    assert sees.detail in messages_of(answer)
    task = OrmQ.objects.get()
    assert (task.key, task.task["func"], task.task["args"][0]) == ("sync", "sync.tasks.discovery", credential.pk)


@pytest.mark.usefixtures("provider")
def test_a_refused_key_is_a_form_error_and_nothing_is_stored(staff, key):
    answer = staff.post(reverse("admin:partners_timingpartner_add"), entry(key, secret=CANARY))

    assert "RunSignUp does not accept this key and secret (error 6)" in problems(answer)
    assert not TimingPartner.objects.exists()
    assert not Credential.objects.exists()
    assert not OrmQ.objects.exists()


@pytest.mark.usefixtures("provider")
def test_a_secret_is_never_sent_back_to_the_browser(staff, key):
    pages = [
        staff.post(reverse("admin:partners_timingpartner_add"), entry(key, secret=CANARY)),
        staff.post(reverse("admin:partners_timingpartner_add"), entry(key, secret=CANARY, name="")),
    ]
    credential = CredentialFactory(api_secret=Secret(CANARY))
    pages += [
        staff.get(change_url(credential)),
        staff.get(change_url(credential.partner)),
        staff.get(reverse("admin:partners_credential_changelist")),
        staff.get(reverse("admin:partners_credential_history", args=[credential.pk])),
    ]
    assert [CANARY in page.content.decode() for page in pages] == [False] * 6
    assert "ends in …d2e0" in pages[2].content.decode()


def test_nothing_is_asked_while_the_form_has_other_errors(staff, key, world, settings):
    with serve(world) as server:
        settings.RUNSIGNUP_URL = server.url
        answer = staff.post(reverse("admin:partners_timingpartner_add"), entry(key, contact_email="nobody"))
        assert "email" in problems(answer)
        assert len(world.ledger.calls()) == 0


@pytest.mark.usefixtures("provider")
def test_a_partner_or_key_that_is_known_is_a_form_error(staff, key):
    known = TimingPartnerFactory(name="Ridgeline Timing")
    same_name = staff.post(reverse("admin:partners_timingpartner_add"), entry(key, name="ridgeline timing"))
    assert "There is a timing partner named ridgeline timing already" in problems(same_name)

    stored_key(key, partner=known)
    same_key = staff.post(reverse("admin:partners_timingpartner_add"), entry(key, name="Another"))
    assert "This key is stored already, as Ridgeline Timing · main" in problems(same_key)


@pytest.mark.usefixtures("provider")
def test_a_further_key_of_a_partner_is_tested_like_the_first(staff, key):
    partner = CredentialFactory().partner
    fields = {
        "partner": partner.pk,
        "label": "second",
        "api_key": key.key,
        "secret": "wrong-secret-000",
        "key_style": "query",
        "hourly_limit": "500",
    }
    refused = staff.post(reverse("admin:partners_credential_add"), fields)
    assert "error 6" in problems(refused)
    staff.post(reverse("admin:partners_credential_add"), fields | {"secret": key.secret})
    added = Credential.objects.get(label="second")
    assert (added.status, added.hourly_limit, added.api_secret.reveal()) == ("ok", 500, key.secret)
    # The refused try counts too: the provider saw it.
    assert ApiUsage.objects.get(credential=added).calls == 3
    assert not TrialCall.objects.exists()


@pytest.mark.usefixtures("provider")
def test_an_empty_secret_keeps_the_stored_one(staff, key, world):
    credential = stored_key(key)
    staff.post(change_url(credential), {"label": "renamed", "hourly_limit": "800", "secret": ""})
    credential.refresh_from_db()
    assert (credential.label, credential.hourly_limit) == ("renamed", 800)
    assert credential.api_secret.reveal() == key.secret
    assert len(world.ledger.calls()) == 0


@pytest.mark.usefixtures("provider")
def test_a_new_secret_replaces_the_old_one_only_when_it_works(staff, key):
    credential = CredentialFactory(api_key=key.key, api_secret=Secret("old-secret-000000"), status="refused")
    fields = {"label": "main", "hourly_limit": "1000"}

    refused = staff.post(change_url(credential), fields | {"secret": CANARY})
    assert "error 6" in problems(refused)
    credential.refresh_from_db()
    assert credential.api_secret.reveal() == "old-secret-000000"

    staff.post(change_url(credential), fields | {"secret": key.secret})
    credential.refresh_from_db()
    assert (credential.api_secret.reveal(), credential.status) == (key.secret, "ok")
    assert OrmQ.objects.get().task["func"] == "sync.tasks.key_released"


def test_a_button_verifies_a_key(staff, key, provider):
    sees = what_it_sees(provider.url, key)
    credential = stored_key(key, status="refused")
    fields = {"label": "main", "hourly_limit": "1000", "secret": "", "_verify": "Save and verify key"}
    answer = staff.post(change_url(credential), fields, follow=True)
    credential.refresh_from_db()
    assert credential.status == Credential.Status.OK
    assert f"valid, {sees.races} races, {sees.upcoming_events} upcoming events" in messages_of(answer)


@pytest.mark.usefixtures("provider")
def test_keys_are_verified_paused_and_resumed_from_the_list(staff, key, world):
    credential = stored_key(key)
    lost = CredentialFactory()

    def act(action: str):
        chosen = {"action": action, "_selected_action": [credential.pk, lost.pk]}
        return staff.post(reverse("admin:partners_credential_changelist"), chosen, follow=True)

    verified = messages_of(act("verify_keys"))
    assert f"{credential}: valid, " in verified
    assert "error 6" in verified
    lost.refresh_from_db()
    assert lost.status == Credential.Status.REFUSED
    act("pause_keys")
    credential.refresh_from_db()
    lost.refresh_from_db()
    assert (credential.status, lost.status) == ("paused", "refused")
    act("resume_keys")
    credential.refresh_from_db()
    assert credential.status == "ok"


@pytest.mark.usefixtures("provider")
def test_races_are_looked_for_on_request(staff, key):
    credential = stored_key(key)
    chosen = {"action": "discover_keys", "_selected_action": [credential.pk]}
    staff.post(reverse("admin:partners_credential_changelist"), chosen)
    assert OrmQ.objects.get().task["func"] == "sync.tasks.discovery"


@pytest.mark.usefixtures("provider")
def test_a_provider_that_does_not_answer_is_a_form_error(staff, key, world):
    world.faults.add(status=502, html=True)
    answer = staff.post(reverse("admin:partners_timingpartner_add"), entry(key))
    assert "RunSignUp is unavailable" in problems(answer)
    assert "Try again in a minute" in problems(answer)
    assert not TimingPartner.objects.exists()


def test_a_partner_with_data_is_not_deleted_and_the_page_says_what_to_do(staff):
    race = RaceFactory()
    member = PartnerMembershipFactory()
    urls = [
        reverse("admin:partners_timingpartner_delete", args=[race.partner_id]),
        reverse("admin:partners_credential_delete", args=[race.credential_id]),
        reverse("admin:partners_timingpartner_delete", args=[member.partner_id]),
    ]
    shown = [messages_of(staff.post(url, {"post": "yes"}, follow=True)) for url in urls]
    assert "Switch off “Is active”" in shown[0]
    assert "Pause it" in shown[1]
    assert "take their membership away first" in shown[2]
    assert TimingPartner.objects.count() == 2
    assert Credential.objects.count() == 1


def test_a_key_without_races_and_then_its_partner_can_be_deleted(staff):
    credential = CredentialFactory()
    staff.post(reverse("admin:partners_credential_delete", args=[credential.pk]), {"post": "yes"})
    staff.post(reverse("admin:partners_timingpartner_delete", args=[credential.partner_id]), {"post": "yes"})
    assert not TimingPartner.objects.exists()


def test_keys_are_listed_and_opened_although_no_secret_can_be_decrypted(staff, settings):
    credential = CredentialFactory()
    settings.CREDENTIAL_KEYS = ["x3n6ZJvOZ7cS0tGJ1M0rYwG3r8m4oE9q5nJmXo2yJmA="]
    assert staff.get(reverse("admin:partners_credential_changelist")).status_code == 200
    assert staff.get(change_url(credential.partner)).status_code == 200
    assert "cannot be decrypted" in staff.get(change_url(credential)).content.decode()


def test_the_partner_list_takes_the_same_queries_for_1_and_for_20_partners(staff, django_assert_max_num_queries):
    for _ in range(20):
        RaceFactory()
    with django_assert_max_num_queries(10):
        assert staff.get(reverse("admin:partners_timingpartner_changelist")).status_code == 200
    with django_assert_max_num_queries(10):
        assert staff.get(reverse("admin:partners_credential_changelist")).status_code == 200


def test_members_are_chosen_by_search(staff):
    partner, user = TimingPartnerFactory(), UserFactory()
    staff.post(reverse("admin:partners_partnermembership_add"), {"user": user.pk, "partner": partner.pk})
    assert partner.memberships.get().user == user


@pytest.mark.usefixtures("provider")
def test_who_stores_and_tests_keys_is_noted_without_any_secret(staff, key):
    partners, keys = reverse("admin:partners_timingpartner_add"), reverse("admin:partners_credential_add")
    staff.post(partners, entry(key, secret=CANARY))
    staff.post(partners, entry(key))
    credential = Credential.objects.get()
    staff.post(change_url(credential), {"label": "main", "hourly_limit": 1000, "secret": key.secret})
    staff.post(reverse("admin:partners_credential_action", args=[credential.pk, "verify_keys"]))
    Credential.objects.update(api_secret=Secret(CANARY))
    staff.post(reverse("admin:partners_credential_action", args=[credential.pk, "verify_keys"]))
    credential.delete()
    further = {"partner": credential.partner_id, "label": "second", "api_key": key.key, "key_style": "query"}
    staff.post(keys, further | {"secret": key.secret, "hourly_limit": 900})

    noted = AuditEntry.objects.exclude(action="logged_in").order_by("pk")
    assert [(entry.action, entry.object_text) for entry in noted] == [
        ("partner_onboarded", "Ridgeline Timing"),
        ("secret_changed", "Ridgeline Timing · main"),
        ("key_verified", "Ridgeline Timing · main"),
        ("key_verified", "Ridgeline Timing · main"),
        ("key_added", "Ridgeline Timing · second"),
    ]
    assert [name in noted[3].detail["answer"] for name in ("error 6", CANARY)] == [True, False]
    written = str(list(AuditEntry.objects.values()))
    assert not [secret for secret in (CANARY, key.secret, key.key, "crew@example.test") if secret in written]
