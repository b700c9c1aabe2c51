"""Production settings: nothing to complain about, and no start with a secret that somebody could know."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from project88 import environment

PROJECT = Path(__file__).parents[2]
# Of no use anywhere else; the same each time, because workers that share the tests compare their names.
STRONG = "".join(chr(ord("A") + at * 7 % 26) + str(at % 10) for at in range(32))
# A port that nobody listens at: these checks need no database.
PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": STRONG,
    "CREDENTIAL_KEYS": Fernet.generate_key().decode(),
    "ALLOWED_HOSTS": "sync.example.org",
    "DATABASE_URL": "postgresql://project88:a-password@127.0.0.1:9/project88",
    "RUNSIGNUP_URL": "",
    "RUNSIGNUP_REG": "900001.token",
    "RUNSIGNUP_REG_SECRET": "a-registration-secret",
    "TRUSTED_PROXIES": "",
    "REQUIRE_SECOND_FACTOR": "",
}


def manage(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=PROJECT,
        env=inherited | PRODUCTION | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_djangos_check_of_a_deployment_has_no_finding_in_production_settings():
    done = manage("check", "--deploy", "--fail-level", "INFO")

    assert (done.returncode, done.stdout.strip()) == (0, "System check identified no issues (0 silenced).")


def test_a_start_without_a_secret_ends_with_one_sentence_that_says_what_to_do():
    done = manage("check", SECRET_KEY="")

    assert done.returncode == 1
    assert done.stderr.startswith("Project88 cannot start: SECRET_KEY is not set. Make one with: python -c")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("key", ["short", "a" * 60, "django-insecure-" + STRONG, "change-me-change-me-insecure-" * 3])
def test_a_secret_key_that_can_be_guessed_is_refused_and_not_repeated(key):
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY can be guessed") as refusal:
        environment.strong_key(key, debug=False)
    assert key not in str(refusal.value)
    assert environment.strong_key(key, debug=True) == key


@pytest.mark.parametrize("name", ["SECRET_KEY", "CREDENTIAL_KEYS"])
def test_no_secret_has_a_default_without_debug(monkeypatch, tmp_path, name):
    monkeypatch.delenv(name, raising=False)
    with pytest.raises(ImproperlyConfigured, match=f"{name} is not set. Make one"):
        environment.secret(name, debug=False, var_dir=tmp_path, make=lambda: "made", hint="Make one")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("value", "why"), [("", "is not set"), ("*", "is *"), ("sync.example.org, *", "is *")])
def test_the_names_of_the_site_are_said_in_production(monkeypatch, value, why):
    monkeypatch.setenv("ALLOWED_HOSTS", value)
    with pytest.raises(ImproperlyConfigured) as refusal:
        environment.hosts(debug=False)
    assert str(refusal.value).startswith(f"ALLOWED_HOSTS {why}")
    assert "sync.example.org" in str(refusal.value)
    assert environment.hosts(debug=True)


def test_a_strong_key_of_ones_own_and_named_hosts_are_taken(monkeypatch):
    monkeypatch.setenv("ALLOWED_HOSTS", "sync.example.org")
    assert environment.strong_key(STRONG, debug=False) == STRONG
    assert environment.hosts(debug=False) == ["sync.example.org"]
