"""`manage.py onboard`, with the secret on standard input, against the sandbox."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command

from partners.models import AuditEntry, Credential, TimingPartner
from races.models import Race
from tests.factories import CredentialFactory, TimingPartnerFactory
from tests.partners.sandbox_keys import first_key, serve, small_world, what_it_sees

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


@pytest.fixture
def onboard(key, monkeypatch):
    """Runs the command; returns what it printed, plain lines because there is no terminal."""

    def run(*arguments: str, name: str = "Ridgeline Timing", secret: str | None = None) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{key.secret if secret is None else secret}\n"))
        out = io.StringIO()
        call_command("onboard", name, "--api-key", key.key, "--api-secret-stdin", *arguments, stdout=out)
        return out.getvalue()

    return run


def test_the_command_stores_the_key_finds_its_races_and_says_what_is_next(onboard, key, provider):
    sees = what_it_sees(provider.url, key)
    said = onboard("--contact", "crew@example.test", "--timezone", "America/Denver")

    partner = TimingPartner.objects.get()
    assert (partner.contact_email, partner.timezone) == ("crew@example.test", "America/Denver")
    assert partner.credentials.get().discovered_at is not None
    assert sees.detail in said
    assert f"Stored: Ridgeline Timing (ridgeline-timing), key main, secret ends in …{key.secret[-4:]}." in said
    assert f"{Race.objects.count()} races and" in said
    assert re.search(r"\d+ events of Ridgeline Timing to come, \d+ within 24 hours\.", said)
    hour = r"(now|\w+( \w+ \d+)? \d\d:00 M[DS]T), [\d,]+ calls (an hour )?wanted"
    assert re.search(f"This key's busiest hour: {hour}", said)
    assert "manage.py cluster" in said
    assert "manage.py backfill --partner ridgeline-timing" in said
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.partner, entry.user) == ("partner_onboarded", partner, None)
    assert entry.detail == {"key": "main", "races": sees.races}


def test_no_line_of_the_output_holds_the_secret_or_a_control_sequence(onboard, key):
    said = onboard()
    assert key.secret not in said
    assert "\x1b" not in said
    assert "\n\n" not in said


def test_a_refused_key_ends_with_code_1_and_one_clear_sentence(onboard):
    with pytest.raises(CommandError, match=r"does not accept this key and secret.*Nothing was stored\.") as error:
        onboard(secret="wrong-secret-0000")
    assert error.value.returncode == 1
    assert not TimingPartner.objects.exists()


@pytest.mark.parametrize("arguments", [("--timezone", "Denver"), ("--contact", "nobody")])
def test_a_wrong_entry_ends_with_code_2(onboard, arguments):
    with pytest.raises(CommandError, match=r"Nothing was stored\.") as error:
        onboard(*arguments)
    assert error.value.returncode == 2


@pytest.mark.parametrize("secret", ["", "two words"])
def test_a_secret_that_cannot_be_one_ends_with_code_2(onboard, secret):
    with pytest.raises(CommandError, match="must hold the API secret") as error:
        onboard(secret=secret)
    assert error.value.returncode == 2


def test_without_a_terminal_the_prompt_is_not_waited_for(key, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(CommandError, match="use --api-secret-stdin") as error:
        call_command("onboard", "Ridgeline Timing", "--api-key", key.key)
    assert error.value.returncode == 2


def test_at_a_terminal_the_secret_is_asked_for_without_being_shown(key, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: key.secret)
    call_command("onboard", "Ridgeline Timing", "--api-key", key.key, stdout=io.StringIO())
    assert Credential.objects.get().api_secret.reveal() == key.secret


def test_a_further_key_is_added_to_the_partner_of_that_name(onboard):
    partner = CredentialFactory(partner=TimingPartnerFactory(name="Ridgeline Timing")).partner
    with pytest.raises(CommandError, match="has a key labelled main already") as error:
        onboard(name="ridgeline timing")
    assert error.value.returncode == 2
    onboard("--label", "second", name="ridgeline timing")
    assert set(partner.credentials.values_list("label", flat=True)) == {"main", "second"}


def test_a_key_is_stored_although_its_first_discovery_fails(onboard, world, monkeypatch):
    # The test of the key asks for races once, the discovery once more.
    monkeypatch.setattr("partners.runsignup.paging.CATALOGUE_RACES", 0)
    with pytest.raises(CommandError, match="The key is stored; the cluster looks for its races again") as error:
        onboard()
    assert error.value.returncode == 1
    assert Credential.objects.get().status == "ok"


def test_there_is_no_argument_that_takes_the_secret():
    command = [sys.executable, "manage.py", "onboard", "X", "--api-key", "k", "--api-secret", "s"]
    ended = subprocess.run(command, cwd=django_settings.BASE_DIR, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "unrecognized arguments" in ended.stderr
