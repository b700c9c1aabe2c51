"""Row 38: the provider's address is https to a public host of the list; everything else is refused at the start."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from partners.runsignup.transport import HttpTransport
from partners.secret import Secret
from project88 import environment

NOWHERE_NEAR = [
    "file:///etc/passwd",
    "file://api.runsignup.com/etc/passwd",
    "gopher://api.runsignup.com/",
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.169.254/latest",
    "https://[fe80::1]/rest",
    "https://[::ffff:169.254.169.254]/rest",
    "https://10.0.0.7/rest",
    "https://2130706433/rest",
    "https://0x7f000001/rest",
    "https://0/rest",
    "https://intranet/rest",
    "https://db.internal/rest",
    "https://metadata.google.internal/",
    "http://api.runsignup.com/rest",
    "https://api.runsignup.com.evil.test/rest",
    "https://evil.test\\@api.runsignup.com/rest",
    "https://api.runsignup.com\\@evil.test/rest",
    "https://api.runsignup.com@evil.test/rest",
]


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("url", NOWHERE_NEAR)
def test_fault_38_such_an_address_is_refused_also_while_developing(monkeypatch, url, debug):
    monkeypatch.setenv("RUNSIGNUP_URL", url)
    with pytest.raises(ImproperlyConfigured, match="RUNSIGNUP_URL"):
        environment.runsignup_url(debug=debug)


def test_fault_38_the_start_refuses_it_with_one_sentence():
    variables = {"DEBUG": "true", "RUNSIGNUP_URL": "https://169.254.169.254/latest", "RUNSIGNUP_HOSTS": ""}
    ended = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=django_settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "project88.settings", **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Project88 cannot start: RUNSIGNUP_URL 'https://169.254.169.254/latest' is refused")
    assert "Traceback" not in ended.stderr


def test_fault_38_the_list_of_hosts_is_a_setting(monkeypatch):
    monkeypatch.setenv("RUNSIGNUP_URL", "https://api2.runsignup.com/rest")
    with pytest.raises(ImproperlyConfigured, match="RUNSIGNUP_HOSTS is the list"):
        environment.runsignup_url(debug=False)
    monkeypatch.setenv("RUNSIGNUP_HOSTS", "API2.runsignup.com, api.runsignup.com")
    hosts = environment.provider_hosts("RUNSIGNUP_HOSTS")
    assert hosts == ("api2.runsignup.com", "api.runsignup.com")
    assert environment.runsignup_url(debug=False, hosts=hosts) == "https://api2.runsignup.com/rest"
    monkeypatch.setenv("RUNSIGNUP_HOSTS", "")
    assert environment.provider_hosts("RUNSIGNUP_HOSTS") == environment.RUNSIGNUP_HOSTS


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[::1]",
        "10.1",
        "0x7f.1",
        "localhost",
        "db.internal",
        "nas.local",
        "*.runsignup.com",
        "https://api.runsignup.com",
        "api.runsignup.com:443",
        "api.runsignup.com/rest",
        "api.runsignup.com.",
    ],
)
def test_fault_38_the_list_takes_public_names_only(monkeypatch, host):
    monkeypatch.setenv("RUNSIGNUP_HOSTS", f"api.runsignup.com,{host}")
    with pytest.raises(ImproperlyConfigured, match=r"RUNSIGNUP_HOSTS: .* is no public host"):
        environment.provider_hosts("RUNSIGNUP_HOSTS")


@pytest.mark.parametrize("url", ["http://api.runsignup.com/rest", "file:///etc/passwd", "http://10.0.0.7/rest", ""])
def test_fault_38_the_transport_itself_sends_a_key_by_https_only(url):
    with pytest.raises(ValueError, match="https only"):
        HttpTransport(base_url=url, api_key="k", api_secret=Secret("s"), key_style="header")


def test_fault_38_a_password_in_a_broken_address_is_not_repeated(monkeypatch):
    monkeypatch.setenv("RUNSIGNUP_URL", "https://user:pass-word@api.runsignup.com:port/")
    with pytest.raises(ImproperlyConfigured) as refused:
        environment.runsignup_url(debug=False)
    assert "pass-word" not in str(refused.value)
