"""Row 34: a wrong or rotated encryption key refuses to start, with a hint; rotation re-encrypts without downtime."""

from __future__ import annotations

import importlib
import io
import sys

import pytest
from cryptography.fernet import Fernet, MultiFernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse

from partners import stored_secrets
from partners.models import Credential
from partners.secret import Secret
from partners.stored_secrets import secrets_count, secrets_rotate
from project88.start_checks import refuse_wrong_start
from tests.factories import CredentialFactory, UserFactory

pytestmark = pytest.mark.django_db

OLD, NEW, STRANGE = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture(autouse=True)
def old_key(settings):
    settings.CREDENTIAL_KEYS = [OLD]


@pytest.fixture
def same_connection(monkeypatch):
    """The start closes its connection, and with it this test's transaction."""
    monkeypatch.setattr(connection, "close", lambda: None)


def stored(number: int) -> list[Credential]:
    return [CredentialFactory(api_secret=Secret(f"secret-of-key-{n:04}")) for n in range(number)]


def tokens() -> dict[int, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, api_secret FROM partners_credential")
        return dict(cursor.fetchall())


def put_token(credential: Credential, token: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE partners_credential SET api_secret = %s WHERE id = %s", [token, credential.pk])


def rotate(*arguments: str) -> str:
    out = io.StringIO()
    call_command("rotate_keys", *arguments, stdout=out)
    return out.getvalue()


def test_fault_34_rotation_in_three_steps_at_each_of_which_every_secret_can_be_read(settings):
    keys = stored(3)

    def readable() -> bool:
        return [Credential.objects.get(pk=key.pk).api_secret for key in keys] == [key.api_secret for key in keys]

    settings.CREDENTIAL_KEYS = [NEW, OLD]
    assert readable()
    said = rotate()
    assert readable()
    assert "3 secrets encrypted anew with the first key." in said
    assert "Key 1 of CREDENTIAL_KEYS encrypts 3 secrets.\nKey 2 of CREDENTIAL_KEYS encrypts 0 secrets." in said
    assert "Nothing is left under an old key: drop all keys but the first" in said
    settings.CREDENTIAL_KEYS = [NEW]
    assert readable()
    assert rotate("--check").endswith("Nothing is left under an old key.\n")


def test_fault_34_check_says_what_is_left_and_changes_nothing(settings):
    stored(2)
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    before = tokens()
    with pytest.raises(CommandError, match="2 secrets still under an old key: keep the old keys") as ended:
        rotate("--check")
    assert ended.value.returncode == 1
    assert tokens() == before


def test_fault_34_a_second_rotation_writes_nothing(settings):
    stored(2)
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    rotate()
    once = tokens()
    assert "0 secrets encrypted anew" in rotate()
    assert tokens() == once


def test_fault_34_a_rotation_that_was_interrupted_goes_on_where_it_stopped(settings):
    stored(5)
    settings.CREDENTIAL_KEYS = [NEW, OLD]

    def stop_after_two(rotation):
        if rotation.seen == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        secrets_rotate(tell=stop_after_two, batch_size=2)
    assert secrets_count().by_key == {1: 2, 2: 3}
    assert secrets_rotate(tell=lambda _rotation: None, batch_size=2).moved == 3
    assert secrets_count().by_key == {1: 5}


def test_fault_34_a_secret_that_is_entered_during_the_rotation_stays(settings, monkeypatch):
    first, second = stored(2)
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    replace = stored_secrets._replace

    def somebody_is_faster(column, moves, *, using):
        first.api_secret = Secret("entered-meanwhile-0001")
        first.save(update_fields=["api_secret"])
        return replace(column, moves, using=using)

    monkeypatch.setattr(stored_secrets, "_replace", somebody_is_faster)
    said = rotate()
    assert "1 secret encrypted anew" in said
    assert "1 secret changed meanwhile: the newer one was kept." in said
    assert Credential.objects.get(pk=first.pk).api_secret.reveal() == "entered-meanwhile-0001"
    assert Credential.objects.get(pk=second.pk).api_secret == second.api_secret


def test_fault_34_a_process_that_still_encrypts_with_the_old_key_is_noticed(settings):
    """Its machine was not restarted yet: the old key must not be dropped."""
    (key,) = stored(1)
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    rotate()
    put_token(key, MultiFernet([Fernet(OLD)]).encrypt(b"entered-there-0001").decode())
    with pytest.raises(CommandError, match="1 secret still under an old key"):
        rotate("--check")
    rotate()
    assert Credential.objects.get(pk=key.pk).api_secret.reveal() == "entered-there-0001"


def test_fault_34_a_secret_that_no_key_opens_is_left_alone_and_named(settings):
    good, lost = stored(2)
    put_token(lost, Fernet(STRANGE).encrypt(b"lost").decode())
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    before = tokens()
    with pytest.raises(CommandError, match=rf"No key decrypts 1 secret \(credential {lost.pk}\)") as ended:
        rotate()
    assert ended.value.returncode == 1
    assert tokens()[lost.pk] == before[lost.pk]
    assert Credential.objects.get(pk=good.pk).api_secret == good.api_secret


def test_fault_34_what_nobody_can_read_is_emptied_only_when_its_number_is_given(settings):
    good, lost = stored(2)
    put_token(lost, Fernet(STRANGE).encrypt(b"lost").decode())
    with pytest.raises(CommandError, match="1 secret cannot be decrypted, not 2: nothing was emptied") as ended:
        rotate("--discard-unreadable", "2")
    assert ended.value.returncode == 2
    assert tokens()[lost.pk] != ""
    assert "1 secret emptied. Enter them again in the admin." in rotate("--discard-unreadable", "1")
    assert tokens()[lost.pk] == ""
    assert Credential.objects.get(pk=good.pk).api_secret == good.api_secret


@pytest.mark.usefixtures("same_connection")
def test_fault_34_the_web_server_refuses_a_wrong_key_with_a_hint(settings):
    stored(1)
    refuse_wrong_start()
    settings.CREDENTIAL_KEYS = [STRANGE]
    with pytest.raises(ImproperlyConfigured, match=r"partners\.E001.*Put the Fernet key that encrypted them back"):
        refuse_wrong_start()
    settings.CREDENTIAL_KEYS = [STRANGE, OLD]
    refuse_wrong_start()


@pytest.mark.usefixtures("same_connection")
def test_fault_34_gunicorns_entry_point_asks(settings, monkeypatch):
    stored(1)
    monkeypatch.delitem(sys.modules, "project88.wsgi", raising=False)
    # It would set up the logging of this process anew.
    monkeypatch.setattr("django.core.wsgi.get_wsgi_application", lambda: None)
    settings.CREDENTIAL_KEYS = [STRANGE]
    with pytest.raises(ImproperlyConfigured, match="The web server does not start"):
        importlib.import_module("project88.wsgi")


def test_fault_34_a_database_that_does_not_answer_does_not_keep_the_web_server_down(monkeypatch, same_connection):
    def away(**_options):
        raise OperationalError("connection refused")

    monkeypatch.setattr("project88.start_checks.checks.run_checks", away)
    refuse_wrong_start()


def test_fault_34_the_cluster_refuses_a_wrong_key_with_a_hint(settings):
    stored(1)
    settings.CREDENTIAL_KEYS = [STRANGE]
    with pytest.raises(CommandError, match=r"partners\.E001\) CREDENTIAL_KEYS cannot decrypt 1 stored API secret"):
        call_command("cluster", "--queue", "default")


def test_fault_34_a_lost_key_does_not_lock_the_admin_that_mends_it(settings):
    (key,) = stored(1)
    settings.CREDENTIAL_KEYS = [STRANGE]
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    assert client.get(reverse("admin:partners_credential_changelist")).status_code == 200
    page = client.get(reverse("admin:partners_credential_change", args=[key.pk]))
    assert "cannot be decrypted with CREDENTIAL_KEYS" in page.content.decode()
