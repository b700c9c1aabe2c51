"""Onboarding a key, over HTTP against the sandbox."""

from __future__ import annotations

import pytest
from django.db import IntegrityError
from django_q.models import OrmQ

from partners import gate
from partners.audit import command_actor
from partners.credential_problems import CredentialProblem, InvalidEntry
from partners.gate import database_now
from partners.models import ApiUsage, CallBudget, Credential, TimingPartner, TrialCall
from partners.onboarding import (
    Onboarded,
    credential_add,
    credential_replace_secret,
    credential_try,
    credential_verify,
    partner_onboard,
)
from partners.secret import Secret
from tests.factories import CredentialFactory, TimingPartnerFactory
from tests.partners.sandbox_keys import first_key, secret_of, serve, small_world, what_it_sees

pytestmark = pytest.mark.django_db(transaction=True)


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


def onboard(key, **changes) -> Onboarded:
    entry = {
        "name": "Ridgeline Timing",
        "by": command_actor(),
        "timezone": "America/Denver",
        "api_key": key.key,
        "api_secret": secret_of(key),
        "key_style": "query",
        "now": database_now(),
    }
    return partner_onboard(**(entry | changes))


def stored_key(key, **fields) -> Credential:
    return CredentialFactory(api_key=key.key, api_secret=secret_of(key), **fields)


def nothing_is_stored() -> bool:
    return not (TimingPartner.objects.exists() or Credential.objects.exists() or OrmQ.objects.exists())


def test_a_good_key_is_stored_with_what_it_sees(key, provider):
    sees = what_it_sees(provider.url, key)
    stored = onboard(key, contact_email="crew@example.test")
    credential = Credential.objects.select_related("partner").get()
    assert credential.status == Credential.Status.OK
    assert credential.status_detail == f"valid, {sees.races} races, {sees.upcoming_events} upcoming events"
    assert credential.verified_at is not None
    assert credential.api_secret == secret_of(key)
    assert (credential.partner.slug, stored.report.races) == ("ridgeline-timing", sees.races)


def test_a_stored_key_asks_for_its_discovery_by_name(key):
    stored = onboard(key)
    task = OrmQ.objects.get()
    assert (task.key, task.task["func"]) == ("sync", "sync.tasks.discovery")
    assert task.task["args"] == (stored.credential.pk, stored.credential.verified_at.isoformat())


def test_the_calls_of_the_test_are_spent_from_the_stored_keys_budget(key):
    stored = onboard(key)
    assert ApiUsage.objects.get(credential=stored.credential).calls == 2
    assert gate.budget_states([stored.credential])[stored.credential.pk].free == 18
    assert not TrialCall.objects.exists()


def test_keys_of_the_header_style_work_too(key):
    assert onboard(key, key_style="header").credential.key_style == "header"


def test_a_refused_key_leaves_nothing_but_the_digests_of_its_trial(key):
    with pytest.raises(CredentialProblem, match="does not accept this key and secret") as refusal:
        onboard(key, api_secret=Secret("wrong-secret-0000"))
    assert (refusal.value.refused, refusal.value.field) == (True, "api_secret")
    assert nothing_is_stored()
    assert TrialCall.objects.count() == 1


def test_the_reason_of_a_refusal_holds_no_secret(key):
    canary = "canary-secret-91c7d2e0"
    with pytest.raises(CredentialProblem) as refusal:
        onboard(key, api_secret=Secret(canary))
    shown, error = "", refusal.value
    while error is not None:
        shown += f"{error!r} {vars(error)}"
        error = error.__cause__
    assert canary not in shown


SENTENCES = {
    "no access": ({"error": 7}, "add the company to their races"),
    "caller registration": ({"error": 17, "status": 400}, "refuses this installation, not the key"),
    "throttled": ({"error": 14}, "asks this key to slow down. Try again in a minute"),
    "throttled for long": ({"status": 429, "retry_after": "600"}, "Try again in 10 minutes"),
    "unwell": ({"status": 502, "html": True}, "Try again in a minute; if it stays so, check the network"),
    "cut off": ({"drop": True}, "check the network and RUNSIGNUP_URL"),
    "wrong address": ({"status": 404, "html": True}, "the address in RUNSIGNUP_URL may be wrong"),
    "not our format": ({"body": "<xml/>"}, "Not tested: RunSignUp"),
}


@pytest.mark.parametrize(("fault", "sentence"), SENTENCES.values(), ids=SENTENCES)
def test_every_failure_is_one_sentence_that_says_what_to_do(key, world, fault, sentence):
    world.faults.add(**fault)
    with pytest.raises(CredentialProblem) as problem:
        onboard(key)
    assert sentence in problem.value.text
    assert nothing_is_stored()


def test_the_public_catalogue_is_not_taken_for_the_races_of_a_key(key, world):
    race = '{"race":{"race_id":%d,"name":"Somebody\'s 5K","timezone":"America/New_York"}}'
    body = '{"races":[' + ",".join(race % number for number in range(1, 1001)) + "]}"
    world.faults.add(endpoint="races", body=body)
    with pytest.raises(CredentialProblem, match=r"public catalogue.*timing company's own account") as problem:
        onboard(key)
    assert problem.value.field == "api_key"
    assert nothing_is_stored()


def test_a_key_that_may_not_read_one_races_participants_is_stored_and_says_so(key, world):
    world.faults.add(endpoint="participants", error=7)
    stored = onboard(key)
    assert stored.report.participants_readable is False
    assert "may not read the participants" in stored.credential.status_detail


def test_a_key_that_is_tried_again_and_again_is_not_tried_any_more(key, world):
    for _ in range(20):
        with pytest.raises(CredentialProblem):
            onboard(key, api_secret=Secret("wrong-secret-0000"))
    with pytest.raises(CredentialProblem, match=r"tried 20 times within the hour. Try again in \d\d minutes"):
        onboard(key)
    assert len(world.ledger.calls()) == 20


def test_a_key_that_is_stored_already_is_named_and_not_called(key, world):
    stored = stored_key(key, partner=TimingPartnerFactory(name="Chrono Nord"))
    with pytest.raises(CredentialProblem, match="stored already, as Chrono Nord · main"):
        onboard(key)
    with pytest.raises(CredentialProblem, match="stored already"):
        credential_try(api_key=stored.api_key, api_secret=secret_of(key), key_style="query", now=database_now())
    assert len(world.ledger.calls()) == 0


WRONG_ENTRIES = {
    "no name": ({"name": "  "}, "name"),
    "no such zone": ({"timezone": "Denver"}, "timezone"),
    "no mail address": ({"contact_email": "nobody"}, "contact_email"),
    "no key": ({"api_key": ""}, "api_key"),
    "no secret": ({"api_secret": Secret("")}, "api_secret"),
    "no such style": ({"key_style": "oauth"}, "key_style"),
    "no label": ({"label": ""}, "label"),
}


@pytest.mark.parametrize(("entry", "field"), WRONG_ENTRIES.values(), ids=WRONG_ENTRIES)
def test_a_wrong_entry_is_named_before_the_provider_is_asked(key, world, entry, field):
    with pytest.raises(InvalidEntry) as problem:
        onboard(key, **entry)
    assert problem.value.field == field
    assert len(world.ledger.calls()) == 0


def test_partners_whose_names_sound_alike_get_slugs_of_their_own(world):
    keys = list(world.keys.values())
    slugs = [onboard(keys[0], name="A & B Timing").partner.slug, onboard(keys[1], name="A-B Timing").partner.slug]
    assert slugs == ["a-b-timing", "a-b-timing-2"]


def test_a_name_without_latin_letters_has_a_slug_too(key):
    assert onboard(key, name="東京計時").partner.slug == "partner"


def test_a_second_partner_of_the_same_name_is_refused(key):
    TimingPartnerFactory(name="Ridgeline Timing")
    with pytest.raises(InvalidEntry, match="add a further key under its own label"):
        onboard(key, name="RIDGELINE Timing")


def test_a_further_key_belongs_to_the_same_partner(key):
    partner = CredentialFactory().partner
    entry = {"partner": partner, "api_key": key.key, "api_secret": secret_of(key), "key_style": "query"}
    with pytest.raises(InvalidEntry, match="has a key labelled main already"):
        credential_add(**entry, label="main", by=command_actor(), now=database_now())
    added = credential_add(**entry, label="second", by=command_actor(), now=database_now())
    assert set(partner.credentials.values_list("label", flat=True)) == {"main", "second"}
    assert added.partner == partner


def test_when_somebody_was_faster_nothing_is_stored_twice(key, monkeypatch):
    # Both have passed the look for a stored key; the database's constraint decides.
    def lose(self, *args, **kwargs):
        raise IntegrityError("duplicate key value violates unique constraint")

    monkeypatch.setattr(Credential, "save", lose)
    with pytest.raises(CredentialProblem, match="a moment ago"):
        onboard(key)
    assert nothing_is_stored()


def test_a_refused_key_that_works_again_resumes_at_once(key):
    credential = stored_key(key, status="refused", status_detail="error 6", refused_at=database_now())
    credential_verify(credential, by=command_actor(), now=database_now())
    credential.refresh_from_db()
    assert (credential.status, credential.refused_at) == ("ok", None)
    assert credential.status_detail.startswith("valid, ")
    assert OrmQ.objects.get().task["func"] == "sync.tasks.key_released"


def test_verifying_passes_the_keys_own_budget(key):
    credential = stored_key(key)
    credential_verify(credential, by=command_actor(), now=database_now())
    assert ApiUsage.objects.get(credential=credential).calls == 2
    assert not OrmQ.objects.exists()
    paused = database_now() + gate.PLACE_LASTS
    CallBudget.objects.filter(credential=credential).update(
        paused_until=paused, rate_per_hour=700, rate_changed_at=paused
    )
    with pytest.raises(CredentialProblem, match="Not tested: the provider asked this key to pause"):
        credential_verify(credential, by=command_actor(), now=database_now())


def test_a_key_that_staff_paused_stays_paused_when_it_is_verified(key):
    credential = stored_key(key, status="paused")
    credential_verify(credential, by=command_actor(), now=database_now())
    credential.refresh_from_db()
    assert (credential.status, credential.verified_at is None) == ("paused", False)


def test_a_refusal_at_a_verification_stops_the_key(key):
    credential = CredentialFactory(api_key=key.key, api_secret=Secret("wrong-secret-0000"))
    with pytest.raises(CredentialProblem):
        credential_verify(credential, by=command_actor(), now=database_now())
    credential.refresh_from_db()
    assert credential.status == Credential.Status.REFUSED
    assert "error 6" in credential.status_detail
    assert credential.refused_at is not None


@pytest.mark.parametrize("fault", [{"status": 502, "html": True}, {"error": 17, "status": 400}, {"error": 14}])
def test_a_verification_that_says_nothing_about_the_key_changes_nothing(key, world, fault):
    world.faults.add(**fault)
    credential = stored_key(key, status_detail="valid, 4 races, 8 upcoming events")
    with pytest.raises(CredentialProblem):
        credential_verify(credential, by=command_actor(), now=database_now())
    credential.refresh_from_db()
    assert (credential.status, credential.status_detail) == ("ok", "valid, 4 races, 8 upcoming events")


def test_a_secret_is_replaced_only_by_one_that_works(key):
    credential = CredentialFactory(api_key=key.key, api_secret=Secret("old-secret-000000"), status="refused")
    with pytest.raises(CredentialProblem):
        credential_replace_secret(credential=credential, api_secret=Secret("wrong-secret-0000"), now=database_now())
    stored = Credential.objects.get()
    assert (stored.api_secret.reveal(), stored.status) == ("old-secret-000000", "refused")
    credential_replace_secret(credential=stored, api_secret=secret_of(key), now=database_now())
    stored = Credential.objects.get()
    assert (stored.api_secret, stored.status) == (secret_of(key), "ok")
