"""Each kind of answer has the same strict headers: there is no page that forgot them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from project88.security_headers import POLICY
from tests.e2e.site_pages import Places, page_urls
from tests.e2e.site_rows import site_rows_make
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.fixture
def staff():
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.fixture
def places(staff) -> Places:
    return site_rows_make(staff=staff, now=datetime.now(UTC))


@pytest.fixture
def reader(staff) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(staff)
    return client


def answers(reader: Client, places: Places) -> dict[str, object]:
    race, export, urls = places.race_pk, places.export_pk, page_urls(places)
    return {
        **{f"page {name}": reader.get(urls[name]) for name in ("race_page", "participant_page", "share_page", "login")},
        "admin": reader.get(reverse("admin:index")),
        "form of the admin": reader.get(reverse("admin:races_race_change", args=[race])),
        "script of the admin": reader.get(reverse("admin:jsi18n")),
        "fragment": reader.get(reverse("race_live", args=[race]), headers={"hx-request": "true"}),
        "csv": _read(reader.get(reverse("export_download", args=[race, export]))),
        "csv of runs": reader.get(reverse("runs_csv")),
        "static": _read(reader.get("/static/project88.css")),
        "picture": _read(reader.get("/static/favicon.svg")),
        "redirect": Client().get(reverse("race_list")),
        "login of the admin": Client().get(reverse("admin:login")),
        "400": reader.post(reverse("start_list_export", args=[race]), {"format": "exe"}),
        "404": reader.get("/nothing/here/"),
        "405": reader.get(reverse("logout")),
        "bad host": reader.get("/", headers={"host": "evil.example"}),
        "csrf": _without_a_token(reader),
    }


def _read(response):
    """To its end, so that its file is closed."""
    assert response.getvalue()
    return response


def _without_a_token(reader: Client) -> object:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = reader.cookies
    return strict.post(reverse("logout"))


def test_every_kind_of_answer_has_the_strict_headers(reader, places):
    # A share link's page is stricter: its address is what lets people in.
    right = {"Referrer-Policy": {"same-origin", "no-referrer"}}
    lacking = {
        name: {
            header: response.get(header)
            for header, value in HEADERS.items()
            if response.get(header) not in right.get(header, {value})
        }
        for name, response in answers(reader, places).items()
    }

    assert {name: headers for name, headers in lacking.items() if headers} == {}


def test_an_error_of_ours_has_them_too(reader, monkeypatch):
    monkeypatch.setattr("sync.web.views.database_now", lambda: 1 / 0)

    response = reader.get(reverse("race_list"))

    assert response.status_code == 500
    assert {name: response.get(name) for name in HEADERS} == HEADERS


def test_the_policy_lets_nothing_inline_run_and_nobody_frame_us():
    assert "unsafe" not in POLICY
    assert POLICY.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in POLICY


def test_in_production_cookies_and_pages_travel_encrypted_only(settings, client):
    settings.SECURE_SSL_REDIRECT = settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SECURE_HSTS_SECONDS, settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = 31_536_000, True

    moved = client.get(reverse("login"))
    # A stranger's word for it does not count, the proxy's does.
    told = client.get(reverse("login"), headers={"x-forwarded-proto": "https"}, REMOTE_ADDR="203.0.113.5")
    page = client.get(reverse("login"), headers={"x-forwarded-proto": "https"}, REMOTE_ADDR="127.0.0.1")

    assert (moved.status_code, moved.url) == (301, "https://testserver/login/")
    assert told.status_code == 301
    assert page.status_code == 200
    assert page["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    cookie = page.cookies["csrftoken"]
    assert (cookie["secure"], cookie["samesite"]) == (True, "Lax")


def test_the_cookie_of_a_session_is_for_this_site_and_out_of_reach_of_scripts(client):
    user = get_user_model().objects.create_user("crew", password="a-long-morning-88")
    cookie = client.post(reverse("login"), {"username": user.username, "password": "a-long-morning-88"}).cookies[
        "sessionid"
    ]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
