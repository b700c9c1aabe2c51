"""docs/rights.md holds, for every address: each is asked for as everybody, with objects of one's own, of others and of
nobody."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests.rights_table import ANSWERS, VERBS, Address, AddressRow, address_rows, addresses, record_rows
from tests.rights_world import FOREIGN_NAME, MISSING, SURNAME, World, rights_world

pytestmark = pytest.mark.django_db

ROWS = address_rows()
RECORDS = record_rows()
ADDRESSES = addresses()
BY_NAME = {address.name: address for address in ADDRESSES}
ROLES = list(ROWS[0].answers)
STAFF, OWNERS, WITHOUT_LOGIN = ROLES[:5], ROLES[5:7], ROLES[7:]
# Hides from strangers what the admin has and has not.
CATCH_ALL = "admin/(?P<url>.*)$"
# What an address needs, beside its path, to be answered at all.
QUERIES = {
    "admin:autocomplete": {"app_label": "races", "model_name": "raceaccess", "field_name": "race", "term": ""},
    "start_list_export": {"format": "csv"},
}
RIGHT_OF_PAGE = {"changelist": "look", "history": "look", "change": "look", "add": "add", "delete": "delete"}
RIGHT_OF_POST = {"change": "change", "add": "add", "delete": "delete"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`word`: as in the table, else the status."""

    word: str
    text: str


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker) -> Iterator[World]:
    # A thousand refusals with their tracebacks would cost as much as the pages.
    logging.disable(logging.WARNING)
    with django_db_blocker.unblock(), transaction.atomic():
        yield rights_world()
        transaction.set_rollback(True)
    logging.disable(logging.NOTSET)


def ask(client: Client, method: str, url: str, data: dict[str, Any] | None = None) -> Answer:
    """What a POST did is undone, also in the browser: some of them log out."""
    cookies = copy.deepcopy(client.cookies)
    with transaction.atomic():
        response = getattr(client, method.lower())(url, data)
        body = b"".join(response.streaming_content) if response.streaming else response.content
        if method != "GET":
            transaction.set_rollback(True)
            client.cookies = cookies
    word = {200: "yes", 302: "yes"}.get(response.status_code, str(response.status_code))
    if response.status_code == 302 and "?next=" in response["Location"]:
        word = "login"
    return Answer(word=word, text=body.decode(errors="replace"))


def urls_of(address: Address, role: str, world: World) -> dict[str, str]:
    """By side: own, foreign, missing, mixed (what stands first is one's own, what belongs to it is foreign). To staff
    nothing is foreign."""
    parts = address.parts
    own, foreign = ({part: side.parts_of(address.name)[part] for part in parts} for side in (world.own, world.foreign))
    missing = own | {part: MISSING[part] for part in parts if part in MISSING}
    sides = {"own": own, "missing": missing} if role in STAFF else {"own": own, "foreign": foreign, "missing": missing}
    if len(parts) > 1:
        sides["mixed"] = foreign | {parts[0]: own[parts[0]]}
    if "token" in parts:
        # Who has the address has the right: there is no foreign one, and without one there is a made-up one only.
        sides.pop("foreign", None)
        sides["own"] = missing if role == "anonymous" else own
    if address.name == "password_reset_confirm":
        # Whose link it is, only the link knows: one that is of no use says so to everybody.
        sides = {"own": own}
    urls = {side: reverse(address.name, kwargs=values) for side, values in sides.items()}
    return {side: url for side, url in urls.items() if side == "own" or url != urls["own"]}


def expected(row: AddressRow, role: str, side: str) -> set[str]:
    answer = row.answers[role]
    if side == "own" or answer == "login":
        return {answer}
    return {"403", "404"} if answer == "403" else {"404"}


def test_every_address_and_every_record_has_a_row_and_every_row_is_there():
    named = {address.name for address in ADDRESSES if not address.record and address.path != CATCH_ALL}
    assert named - {row.name for row in ROWS} == set(), "write its row into docs/rights.md"
    assert {row.name for row in ROWS} - named == set(), "no such address"
    assert set(RECORDS) == {model._meta.label_lower for model in admin.site._registry}
    keys = [(row.name, row.method) for row in ROWS]
    assert len(keys) == len(set(keys))


def test_every_cell_is_a_word_of_the_table():
    assert {answer for row in ROWS for answer in row.answers.values()} <= ANSWERS
    assert {verb for row in RECORDS.values() for verbs in row.values() for verb in verbs} <= VERBS
    assert {tuple(row) for row in RECORDS.values()} == {tuple(STAFF)}


@pytest.mark.parametrize("role", ROLES)
def test_addresses_answer_as_the_table_says(role, world):
    client, wrong = world.readers[role], []
    for row in ROWS:
        for side, url in urls_of(BY_NAME[row.name], role, world).items():
            answer = ask(client, row.method, url, QUERIES.get(row.name)).word
            if answer not in expected(row, role, side):
                wrong.append(f"{row.method} {url} ({side}): {answer}, not {expected(row, role, side)}")
    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
def test_records_in_the_admin_answer_as_the_table_says(role, world):
    client, wrong = world.readers[role], []
    for model in admin.site._registry:
        for address in (address for address in ADDRESSES if address.record == model._meta.label_lower):
            for method in ("GET", "POST"):
                wanted = record_answer(address, role, method)
                url = record_url(address, model)
                if wanted and (answer := ask(client, method, url, {"post": "yes"}).word) != wanted:
                    wrong.append(f"{method} {url}: {answer}, not {wanted}")
    assert wrong == []


def record_answer(address: Address, role: str, method: str) -> str:
    """ "" where nothing is said: the page is not posted to."""
    if role in WITHOUT_LOGIN:
        return "login"
    if role in OWNERS:
        return "404"
    if address.page == "short":
        return "yes"
    right = (RIGHT_OF_PAGE if method == "GET" else RIGHT_OF_POST).get(address.page)
    if right is None:
        return ""
    return "yes" if right in RECORDS[address.record][role] else "403"


def record_url(address: Address, model: Any) -> str:
    """Of any row."""
    row = model._default_manager.values_list("pk", flat=True).first()
    assert row is not None, f"make one {model._meta.label} in tests/rights_world.py"
    return f"/{address.path}".replace("<path:object_id>", str(row))


def test_the_admin_does_not_tell_strangers_what_it_has(world):
    for role in OWNERS:
        assert ask(world.readers[role], "GET", "/admin/no/such/page/").word == "404"
    for role in WITHOUT_LOGIN:
        assert ask(world.readers[role], "GET", "/admin/no/such/page/").word == "login"


@pytest.mark.parametrize("role", STAFF)
def test_what_is_completed_while_typing_is_what_may_be_looked_at(role, world):
    for model, records in admin.site._registry.items():
        for field in records.autocomplete_fields:
            query = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": field}
            target = model._meta.get_field(field).remote_field.model._meta.label_lower
            may_look = "look" in RECORDS[target][role]
            answer = ask(world.readers[role], "GET", reverse("admin:autocomplete"), {**query, "term": ""}).word
            assert answer == ("yes" if may_look else "403"), f"{model} {field}"


@pytest.mark.parametrize("role", OWNERS)
def test_no_page_of_ones_own_names_anything_foreign(role, world):
    client = world.readers[role]
    # Whatever a page is asked for: somebody whom both sides have, somebody else's partner, run and event.
    asked = {
        "q": SURNAME,
        "run": world.foreign.run_pk,
        "event": world.foreign.parts["event_pk"],
        "partner": "strangeways",
    }
    shown = 0
    for row in ROWS:
        if row.method != "GET" or row.answers[role] != "yes":
            continue
        url = urls_of(BY_NAME[row.name], role, world)["own"]
        for query in ({}, asked, {"q": world.foreign.race.provider_race_id}):
            answer = ask(client, "GET", url, query)
            # But for the address of the page itself, which has what it was asked for.
            told = answer.text.lower().replace("partner=strangeways", "")
            assert FOREIGN_NAME.lower() not in told, f"{url} {query}"
            shown += "Ownbrook" in answer.text
    assert shown > 20


@pytest.mark.parametrize("role", OWNERS)
def test_a_foreign_event_is_not_taken_along_with_ones_own_race(role, world):
    url = reverse("start_list_export", args=[world.own.race.pk])
    data = {"format": "csv", "event": world.foreign.parts["event_pk"]}
    assert ask(world.readers[role], "POST", url, data).word == "404"


def test_no_other_method_opens_anything(world):
    """HEAD and the rest: nothing foreign, and nothing of one's own by a method that the table does not have."""
    client = world.readers["director"]
    methods: dict[str, set[str]] = {}
    for row in ROWS:
        methods.setdefault(row.name, set()).add(row.method)
    for name, known in methods.items():
        # Open to everybody, and Django takes a PUT there as a POST.
        if "login" in name or name.startswith("password_reset"):
            continue
        urls = urls_of(BY_NAME[name], "director", world)
        for method in {"GET", "POST", "PUT", "DELETE"} - known:
            assert ask(client, method, urls["own"]).word in {"404", "405"}, f"{method} {name}"
        for side in urls.keys() - {"own"}:
            assert ask(client, "HEAD", urls[side]).word in {"404", "405"}, f"HEAD {name} {side}"


def test_nothing_is_posted_without_a_token_of_our_own_page(world):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = world.readers["superuser"].cookies
    for row in ROWS:
        if row.method == "POST":
            url = urls_of(BY_NAME[row.name], "superuser", world)["own"]
            assert ask(strict, "POST", url, QUERIES.get(row.name)).word == "403", url
    for address in ADDRESSES:
        if address.record and address.page in RIGHT_OF_POST:
            url = f"/{address.path}".replace("<path:object_id>", "1")
            assert ask(strict, "POST", url, {"post": "yes"}).word == "403", url
