"""What the start says about a broken installation."""

from __future__ import annotations

import io

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection

from partners.encryption import WrongEncryptionKey
from partners.models import Credential
from tests.factories import CredentialFactory


def found(*, databases: list[str] | None = None) -> dict[str, object]:
    return {message.id: message for message in run_checks(databases=databases)}


def test_a_developers_machine_has_no_finding_but_the_caller_registration():
    assert set(found()) <= {"project88.W001"}


def test_a_missing_caller_registration_is_a_warning_that_names_the_day(settings):
    settings.RUNSIGNUP_REG = ""
    settings.RUNSIGNUP_URL = "https://api.runsignup.com/rest"
    warning = found()["project88.W001"]
    assert "2027-01-01" in warning.msg
    assert "RUNSIGNUP_REG_SECRET" in warning.hint
    settings.RUNSIGNUP_REG = "900001.token"
    assert "project88.W001" not in found()


def test_the_sandbox_needs_no_caller_registration(settings):
    settings.RUNSIGNUP_REG = ""
    settings.RUNSIGNUP_URL = "http://127.0.0.1:8088/rest"
    assert "project88.W001" not in found()


@pytest.mark.parametrize("queue", ["default", "sync"])
def test_a_queue_that_delivers_running_tasks_again_is_an_error(settings, queue):
    cluster = settings.Q_CLUSTER | {"ALT_CLUSTERS": {"sync": {"timeout": 150, "retry": 400}}}
    own = cluster if queue == "default" else cluster["ALT_CLUSTERS"]["sync"]
    own |= {"timeout": 100, "retry": 100}
    settings.Q_CLUSTER = cluster
    error = found()["project88.E001"]
    assert f"the queue '{queue}' is 100 s" in error.msg
    assert "timeout" in error.hint


@pytest.mark.django_db
class TestDatabase:
    def test_a_good_database_has_no_finding(self):
        CredentialFactory()
        assert set(found(databases=["default"])) <= {"project88.W001"}

    def test_a_secret_that_credential_keys_cannot_decrypt_is_an_error_that_names_it(self, settings):
        lost = CredentialFactory()
        settings.CREDENTIAL_KEYS = ["x3n6ZJvOZ7cS0tGJ1M0rYwG3r8m4oE9q5nJmXo2yJmA="]
        CredentialFactory()
        error = found(databases=["default"])["partners.E001"]
        assert f"cannot decrypt 1 stored API secret (credential {lost.pk})" in error.msg
        assert "CREDENTIAL_KEYS" in error.hint
        with pytest.raises(WrongEncryptionKey):
            Credential.objects.get(pk=lost.pk)

    def test_a_database_check_stops_the_command_that_asks_for_it(self, settings):
        CredentialFactory()
        settings.CREDENTIAL_KEYS = ["x3n6ZJvOZ7cS0tGJ1M0rYwG3r8m4oE9q5nJmXo2yJmA="]
        with pytest.raises(CommandError, match=r"partners\.E001"):
            call_command("check", databases=["default"], stderr=io.StringIO())

    def test_a_cluster_that_cannot_decrypt_its_keys_does_not_start(self, settings):
        CredentialFactory()
        settings.CREDENTIAL_KEYS = ["x3n6ZJvOZ7cS0tGJ1M0rYwG3r8m4oE9q5nJmXo2yJmA="]
        with pytest.raises(CommandError, match=r"partners\.E001"):
            call_command("cluster", "--queue", "default")

    def test_an_old_key_that_is_still_in_the_list_decrypts(self, settings):
        CredentialFactory()
        settings.CREDENTIAL_KEYS = ["x3n6ZJvOZ7cS0tGJ1M0rYwG3r8m4oE9q5nJmXo2yJmA=", *settings.CREDENTIAL_KEYS]
        assert "partners.E001" not in found(databases=["default"])

    def test_an_old_postgresql_is_an_error(self, monkeypatch):
        monkeypatch.setattr("project88.checks.OLDEST_POSTGRESQL", 99)
        error = found(databases=["default"])["project88.E002"]
        assert "needs 99 or newer" in error.msg
        assert connection.vendor == "postgresql"
