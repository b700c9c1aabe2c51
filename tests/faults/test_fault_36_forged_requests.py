"""Fault 36: CSRF on every state change; GET changes nothing; login brute force; clickjacking; open redirect: refused.

Generated from the table of URLs: a page that nobody thought of here is tested as soon as it has its row there.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from tests.e2e import site_pages
from tests.e2e.site_pages import Places, admin_urls, page_urls, url_names
from tests.e2e.site_rows import site_rows_make
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|MERGE|TRUNCATE|COPY|WITH .*(INSERT|UPDATE|DELETE))\b", re.IGNORECASE)
# When a link was last used is what a look at it leaves behind, as a log would.
LEFT_BY_A_LOOK = 'UPDATE "races_sharelink" SET "last_used_at"'
PASSWORD = "a-long-morning-88"
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example",
    "javascript:alert(1)",
    "http:///evil.example",
]


@pytest.fixture
def staff():
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.fixture
def places(staff) -> Places:
    return site_rows_make(staff=staff, now=datetime.now(UTC))


def client_of(user, **options: bool) -> Client:
    client = Client(**options)
    client.force_login(user)
    return client


def all_urls(places: Places) -> dict[str, str]:
    """Every URL of the site with rows that exist, and those of the admin, its buttons among them."""
    urls = {**page_urls(places), **admin_urls()}
    return urls | {name: url_of(name, places) for name in url_names() if name not in urls} | button_urls()


def url_of(name: str, places: Places) -> str:
    token, slug = [places.share_token], [places.partner_slug]
    rows = [places.race_pk, places.event_pk, places.export_pk, places.participant_pk]
    for args in ([], token, slug, rows[:1], [rows[0], rows[2]], rows[:2]):
        try:
            return reverse(name, args=args)
        except NoReverseMatch:
            continue
    raise AssertionError(f"{name} takes arguments that this test does not know: give it some")


def button_urls() -> dict[str, str]:
    urls = {}
    for model, model_admin in admin.site._registry.items():
        row = model._default_manager.order_by("-pk").first()
        for action in getattr(model_admin, "object_actions", {}):
            url = f"admin:{model._meta.app_label}_{model._meta.model_name}_action"
            urls[f"button {model.__name__} {action}"] = reverse(url, args=[row.pk, action])
    return urls


def writes_of(ask) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        response = ask()
        if response.streaming:
            response.getvalue()
    queries = [query["sql"][:200] for query in captured.captured_queries]
    return [query for query in queries if WRITES.match(query) and not query.startswith(LEFT_BY_A_LOOK)]


# Who took a list with people along is written down.
NOTED_DOWNLOADS = {"export_changes_csv", "export_download"}


def test_fault_36_a_get_changes_nothing_at_any_url(staff, places):
    client = client_of(staff)

    written = {name: writes_of(lambda url=url: client.get(url)) for name, url in all_urls(places).items()}

    for name in NOTED_DOWNLOADS:
        (noted,) = written.pop(name)
        assert noted.startswith('INSERT INTO "partners_auditentry"')
    assert {name: queries for name, queries in written.items() if queries} == {}


def test_fault_36_what_changes_something_takes_no_get(staff, places):
    client = client_of(staff)
    changing = {name: url_of(name, places) for name in site_pages.POSTED} | button_urls()

    answers = {name: client.get(url).status_code for name, url in changing.items()}

    assert set(answers.values()) == {405}, answers


def test_fault_36_a_post_without_a_token_is_refused_at_every_url(staff, places):
    client = client_of(staff, enforce_csrf_checks=True)
    refused, written = {}, {}

    for name, url in all_urls(places).items():
        written[name] = writes_of(lambda url=url, name=name: refused.setdefault(name, client.post(url)))

    assert {name: answer.status_code for name, answer in refused.items() if answer.status_code != 403} == {}
    assert {name: queries for name, queries in written.items() if queries} == {}


@pytest.mark.parametrize("page", ["login", "admin:login"])
@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_fault_36_a_login_leads_to_no_other_site(client, page, elsewhere):
    get_user_model().objects.create_user("crew", password=PASSWORD, is_staff=True)

    answer = client.post(reverse(page), {"username": "crew", "password": PASSWORD, "next": elsewhere})

    assert answer.status_code == 302
    assert answer.url in {reverse("race_list"), reverse("admin:index")}
    # Nor does the page for who is logged in already.
    again = client.get(reverse(page, query={"next": elsewhere}))
    assert again.status_code == 302
    assert again.url in {reverse("race_list"), reverse("admin:index")}


@pytest.mark.parametrize("page", ["login", "admin:login"])
def test_fault_36_passwords_cannot_be_tried_one_after_the_other(client, page):
    user = get_user_model().objects.create_user("crew", password=PASSWORD, is_staff=True)

    tried = [client.post(reverse(page), {"username": "crew", "password": f"guess {n}"}).status_code for n in range(9)]

    assert tried == [200] * 4 + [429] * 5
    assert client.post(reverse(page), {"username": user.username, "password": PASSWORD}).status_code == 429


@pytest.mark.parametrize("page", ["login", "admin:login", "race_list"])
def test_fault_36_no_page_can_be_put_into_a_frame(client, staff, page):
    if page == "race_list":
        client.force_login(staff)

    answer = client.get(reverse(page))

    assert answer["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
