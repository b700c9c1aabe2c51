"""`manage.py discover` against the sandbox."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from partners.models import AuditEntry, Credential
from races.models import Race
from tests.factories import CredentialFactory, TimingPartnerFactory
from tests.partners.sandbox_keys import secret_of, serve, small_world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world():
    return small_world()


@pytest.fixture(autouse=True)
def provider(world, settings):
    with serve(world) as server:
        settings.RUNSIGNUP_URL = server.url
        yield server


@pytest.fixture
def keys(world) -> list[Credential]:
    return [
        CredentialFactory(api_key=key.key, api_secret=secret_of(key), partner=TimingPartnerFactory(slug=f"company-{n}"))
        for n, key in enumerate(world.keys.values(), start=1)
    ]


def discover(*arguments: str) -> str:
    out = io.StringIO()
    call_command("discover", *arguments, stdout=out)
    return out.getvalue()


def test_all_keys_are_looked_at_and_summed_up(keys):
    said = discover()
    for key in keys:
        races = Race.objects.filter(credential=key).count()
        assert f"{key}: {races} races and" in said
    assert said.endswith("2 keys looked at, 0 failed.\n")


def test_one_partner_can_be_chosen(keys):
    assert "1 key looked at, 0 failed." in discover("--partner", "company-2")
    assert set(Race.objects.values_list("credential", flat=True)) == {keys[1].pk}
    assert list(AuditEntry.objects.values_list("action", "object_text")) == [("discovery_asked", str(keys[1]))]


def test_one_failed_key_does_not_stop_the_others_and_ends_with_code_1(keys, world):
    world.faults.add(endpoint="races", key=keys[0].api_key, status=502, html=True)
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"1 key failed: see above\.") as error:
        call_command("discover", stdout=out)
    assert error.value.returncode == 1
    assert f"{keys[0]}: failed. RunSignUp is unavailable" in out.getvalue()
    assert Race.objects.filter(credential=keys[1]).exists()


def test_a_key_that_is_looked_at_by_another_process_is_not_taken_from_it(keys):
    discover("--partner", "company-1")
    Credential.objects.update(discovery_claimed_until="2100-01-01T00:00Z")
    with pytest.raises(CommandError):
        discover("--partner", "company-1")


def test_an_unknown_partner_ends_with_code_2_and_names_those_there_are(keys):
    with pytest.raises(
        CommandError, match=r"There is no partner 'ridgeline'\. There are: company-1, company-2"
    ) as error:
        discover("--partner", "ridgeline")
    assert error.value.returncode == 2


def test_without_any_key_the_command_says_how_to_store_one():
    with pytest.raises(CommandError, match=r"manage\.py onboard NAME"):
        discover()


def test_races_that_cannot_be_stored_are_named(keys, world):
    world.faults.add(endpoint="races", key=keys[0].api_key, body='{"races":[{"race":{"race_id":"x"}}]}')
    assert "not stored: Race without id" in discover("--partner", "company-1")
