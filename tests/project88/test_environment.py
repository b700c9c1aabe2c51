"""The environment is read strictly: what cannot be meant stops the start and says what to write."""

from __future__ import annotations

import os
import stat

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from project88 import environment


@pytest.fixture
def put(monkeypatch):
    def put(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize(
    ("value", "meant"), [("true", True), (" YES ", True), ("1", True), ("off", False), ("", False)]
)
def test_a_yes_or_no_is_read_in_its_usual_words(put, value, meant):
    put(DEBUG=value)
    assert environment.boolean("DEBUG", default=not meant) is meant


def test_a_mistyped_yes_is_refused_and_not_taken_for_no(put):
    put(DEBUG="ture")
    with pytest.raises(ImproperlyConfigured, match="DEBUG is 'ture'"):
        environment.boolean("DEBUG", default=True)


def test_a_missing_variable_takes_its_default(monkeypatch):
    monkeypatch.delenv("DEBUG", raising=False)
    assert environment.boolean("DEBUG", default=True) is True
    assert environment.text("DEBUG", "default") == "default"


def test_a_list_ignores_blanks_and_empty_items(put):
    put(ALLOWED_HOSTS=" a.example.org, ,b.example.org,")
    assert environment.words("ALLOWED_HOSTS") == ["a.example.org", "b.example.org"]


def a_secret(var_dir, *, debug: bool, make=lambda: "made") -> str:
    return environment.secret("SECRET_KEY", debug=debug, var_dir=var_dir, make=make, hint="Make one with: …")


def test_without_debug_a_missing_secret_stops_the_start_with_the_hint(put, tmp_path):
    put(SECRET_KEY=" ")
    with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY is not set\. Make one with"):
        a_secret(tmp_path, debug=False)
    assert list(tmp_path.iterdir()) == []


def test_with_debug_a_missing_secret_is_made_once_and_kept_for_its_owner_only(put, tmp_path):
    put(SECRET_KEY="")
    made = iter(["first", "second"])
    values = [a_secret(tmp_path / "var", debug=True, make=lambda: next(made)) for _ in range(2)]
    assert values == ["first", "first"]
    [path] = (tmp_path / "var").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_of_two_first_starts_the_faster_ones_secret_counts_for_both(put, tmp_path):
    put(SECRET_KEY="")

    def slow() -> str:
        (tmp_path / "secret_key").write_text("the other process was faster\n")
        return "slow"

    assert a_secret(tmp_path, debug=True, make=slow) == "the other process was faster"


def test_a_secret_of_the_environment_wins_over_a_made_one(put, tmp_path):
    put(SECRET_KEY="given")
    assert a_secret(tmp_path, debug=True) == "given"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.runsignup.com/rest",
        "https://runsignup.com/Rest/",
        "https://test.runsignup.com/Rest",
    ],
)
def test_the_providers_own_hosts_are_taken_by_https(put, url):
    put(RUNSIGNUP_URL=url)
    assert environment.runsignup_url(debug=False) == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://api.runsignup.com/rest", "https to one of"),
        ("https://api.runsignup.com.evil.test/rest", "https to one of"),
        ("https://evil.test/?api.runsignup.com", "must not carry"),
        ("https://user:password@api.runsignup.com/rest", "must not carry"),
        ("https://api.runsignup.com/rest?api_key=x", "must not carry"),
        ("https://api.runsignup.com:port/rest", "is not a URL"),
        ("https://[::1/rest", "is not a URL"),
        ("ftp://127.0.0.1/rest", "https to one of"),
        ("api.runsignup.com/rest", "https to one of"),
        ("http://127.0.0.1.evil.test/rest", "https to one of"),
    ],
)
def test_an_address_that_keys_must_not_be_sent_to_is_refused(put, url, why):
    put(RUNSIGNUP_URL=url)
    with pytest.raises(ImproperlyConfigured, match=why):
        environment.runsignup_url(debug=True)


def test_this_machine_is_for_the_sandbox_and_needs_debug(put):
    put(RUNSIGNUP_URL="http://127.0.0.1:8088/rest")
    assert environment.runsignup_url(debug=True) == "http://127.0.0.1:8088/rest"
    with pytest.raises(ImproperlyConfigured, match="needs DEBUG=true"):
        environment.runsignup_url(debug=False)


def test_an_empty_address_means_the_provider(put):
    put(RUNSIGNUP_URL="")
    assert environment.runsignup_url(debug=False) == "https://api.runsignup.com/rest"


def test_half_a_caller_registration_is_refused(put):
    put(RUNSIGNUP_REG="900001.token", RUNSIGNUP_REG_SECRET="")
    with pytest.raises(ImproperlyConfigured, match="RUNSIGNUP_REG_SECRET is not set, but the other half"):
        environment.both_or_neither("RUNSIGNUP_REG", "RUNSIGNUP_REG_SECRET", hint="Both or neither.")
    put(RUNSIGNUP_REG_SECRET="secret")
    pair = environment.both_or_neither("RUNSIGNUP_REG", "RUNSIGNUP_REG_SECRET", hint="")
    assert pair == ("900001.token", "secret")
    put(RUNSIGNUP_REG="", RUNSIGNUP_REG_SECRET="")
    assert environment.both_or_neither("RUNSIGNUP_REG", "RUNSIGNUP_REG_SECRET", hint="") == ("", "")


def test_fernet_keys_are_a_list_of_which_the_first_encrypts():
    keys = [Fernet.generate_key().decode() for _ in range(2)]
    assert environment.fernet_keys(f" {keys[0]} , {keys[1]} ,") == keys


@pytest.mark.parametrize("value", ["", " , ", "too-short", "A" * 44])
def test_what_is_no_fernet_key_is_refused_and_not_repeated(value):
    with pytest.raises(ImproperlyConfigured, match="CREDENTIAL_KEYS") as error:
        environment.fernet_keys(value)
    assert not value.strip(" ,") or value not in str(error.value)


def test_a_dotenv_file_fills_in_what_the_environment_does_not_say(put, monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("FIRST_OF_88=file\nSECOND_OF_88=file\n")
    put(FIRST_OF_88="environment")
    monkeypatch.setenv("SECOND_OF_88", "removed again after the test")
    del os.environ["SECOND_OF_88"]
    environment.read_dotenv(tmp_path)
    assert (os.environ["FIRST_OF_88"], os.environ["SECOND_OF_88"]) == ("environment", "file")


def test_without_a_mail_server_mails_go_to_the_console(put):
    put(EMAIL_URL="")
    assert environment.email("EMAIL_URL") == {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}


def test_a_mail_server_is_an_address_with_its_password(put):
    put(EMAIL_URL="smtp+tls://crew:pass%2Fword@mail.example.org:587")
    found = environment.email("EMAIL_URL")
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"], found["EMAIL_USE_TLS"]) == ("mail.example.org", 587, True)
    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("crew", "pass/word")


@pytest.mark.parametrize("url", ["https://crew:canary-1@mail.example.org", "smtp://", "smtp://crew:canary-1@host:port"])
def test_what_is_no_mail_server_is_refused_and_its_password_not_repeated(put, url):
    put(EMAIL_URL=url)
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL must be smtp://") as refusal:
        environment.email("EMAIL_URL")
    assert "canary-1" not in str(refusal.value)
