"""Forwarding headers are believed from trusted proxies only."""

from __future__ import annotations

import logging

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import RequestFactory

from project88 import environment
from project88.client_address import TrustedProxiesMiddleware, client_address, throttle_address


@pytest.fixture(autouse=True)
def trusted(settings, monkeypatch):
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1, fd00::/8")
    settings.TRUSTED_PROXIES = environment.networks("TRUSTED_PROXIES", default="")


def request_from(peer: str, *forwarded: str, **headers: str):
    if forwarded:
        headers["HTTP_X_FORWARDED_FOR"] = ", ".join(forwarded)
    return RequestFactory().get("/", REMOTE_ADDR=peer, **headers)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.5", [], "203.0.113.5"),
        ("203.0.113.5", ["198.51.100.1"], "203.0.113.5"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.1.1.1", ["1.2.3.4", "198.51.100.1", "10.2.2.2"], "198.51.100.1"),
        ("10.1.1.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("fd00::1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("::ffff:10.1.1.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.1.1.1", ["nonsense\n"], "10.1.1.1"),
        ("10.1.1.1", [], "10.1.1.1"),
        ("", ["198.51.100.1"], "198.51.100.1"),
        ("", [], ""),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_trusted_proxy(peer, forwarded, client):
    assert client_address(request_from(peer, *forwarded)) == client


def test_a_network_of_one_subscriber_counts_as_one_address():
    assert throttle_address(request_from("2001:db8:1:2:3:4:5:6")) == "2001:db8:1:2::"
    assert throttle_address(request_from("203.0.113.5")) == "203.0.113.5"
    assert throttle_address(request_from("")) is None


def test_a_stranger_cannot_call_an_open_connection_encrypted_and_the_log_says_it_once(settings, caplog):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    seen = []
    middleware = TrustedProxiesMiddleware(lambda request: HttpResponse(seen.append(request.is_secure()) or ""))

    with caplog.at_level(logging.WARNING):
        for peer in ("203.0.113.5", "203.0.113.6", "10.0.0.1"):
            middleware(request_from(peer, HTTP_X_FORWARDED_PROTO="https"))

    assert seen == [False, False, True]
    assert [record.action for record in caplog.records] == ["proxy_not_trusted"]


def test_a_network_that_is_none_stops_the_start_with_a_hint(monkeypatch):
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.1/8")
    with pytest.raises(ImproperlyConfigured, match=r"TRUSTED_PROXIES: 10\.0\.0\.1/8 has host bits set"):
        environment.networks("TRUSTED_PROXIES", default="")
