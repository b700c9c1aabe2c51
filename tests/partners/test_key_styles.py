"""A new key is sent in the header first; one that RunSignUp knows in the query only is found out and stored so."""

from __future__ import annotations

import io
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from partners.models import Credential
from tests.factories import UserFactory
from tests.partners.runsignup.loopback import Handler, loopback

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "style-secret-0123456789"
NOT_THIS = json.dumps({"error": {"error_code": 6, "error_msg": "Key/Secret authentication failed"}}).encode()
NO_RACES = b'{"races":[]}'


def query_of(path: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(path).query)


def header_only(handler: Handler) -> None:
    handler.answer(NO_RACES if "rsu_api_key" in query_of(handler.path) else NOT_THIS)


def query_only(handler: Handler) -> None:
    handler.answer(NO_RACES if "api_secret" in query_of(handler.path) else NOT_THIS)


@pytest.fixture
def provider(settings):
    with loopback(header_only) as server:
        settings.RUNSIGNUP_URL = server.url
        yield server


def onboard(monkeypatch, *arguments: str) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(SECRET))
    out = io.StringIO()
    call_command("onboard", "Ridgeline Timing", "--api-key", "style-key", "--api-secret-stdin", *arguments, stdout=out)
    return out.getvalue()


def test_a_key_that_works_in_the_header_is_never_sent_in_a_url(provider, monkeypatch):
    onboard(monkeypatch)
    assert Credential.objects.get().key_style == "header"
    assert provider.seen
    for path, headers in provider.seen:
        assert SECRET not in path
        assert headers["X-RSU-API-SECRET"] == SECRET


def test_a_key_that_is_known_in_the_query_only_is_stored_so_and_it_is_said(provider, monkeypatch):
    provider.behaviour = query_only
    assert "RunSignUp takes this key in the query only, and it is stored so." in onboard(monkeypatch)
    assert Credential.objects.get().key_style == "query"


def test_the_admin_stores_the_style_that_worked(provider):
    provider.behaviour = query_only
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    form = {"name": "Ridgeline Timing", "contact_email": "crew@example.test", "timezone": "America/Denver"}
    page = client.get(reverse("admin:partners_timingpartner_add"))
    assert page.context["adminform"].form.fields["key_style"].initial == "header"
    client.post(
        reverse("admin:partners_timingpartner_add"),
        form | {"api_key": "style-key", "secret": SECRET, "key_style": "header"},
    )
    assert Credential.objects.get().key_style == "query"


def test_whoever_asks_for_the_query_gets_only_that(provider, monkeypatch):
    with pytest.raises(CommandError, match="does not accept this key and secret"):
        onboard(monkeypatch, "--key-style", "query")
    assert len(provider.seen) == 1
    assert "rsu_api_key" not in query_of(provider.seen[0][0])


@pytest.mark.parametrize("code", [7, 14, 17])
def test_only_an_unknown_key_is_tried_the_other_way(provider, monkeypatch, code):
    body = json.dumps({"error": {"error_code": code, "error_msg": "No"}}).encode()
    provider.behaviour = lambda handler: handler.answer(body)
    with pytest.raises(CommandError, match="Nothing was stored"):
        onboard(monkeypatch)
    assert len(provider.seen) == 1
