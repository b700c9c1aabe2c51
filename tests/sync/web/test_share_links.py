"""Share links: made by who may see the race, revoked at once, expiring by the clock, and without anything personal."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from project88.logging import JsonFormatter, LineFormatter
from races.models import ShareLink
from races.share_links import token_hash
from tests.factories import EventFactory, EventSyncFactory, ParticipantFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture
def clock(monkeypatch, now):
    """What the share views read as the present time; `clock.now` may be set."""

    class Clock:
        pass

    clock = Clock()
    clock.now = now
    monkeypatch.setattr("sync.web.share_views.database_now", lambda: clock.now)
    return clock


@pytest.fixture(autouse=True)
def _clock(clock):
    return clock


@pytest.fixture
def share(race, director, log_in):
    """Make a link as the director would; its address."""

    def make(race=race, user=director, **form) -> str:
        response = log_in(user).post(reverse("share_links", args=[race.pk]), form)
        assert response.status_code == 200
        return re.search(r'value="http://testserver(/share/[\w-]{43}/)"', response.content.decode())[1]

    return make


def test_a_link_opens_the_status_of_its_race_without_a_login(share, scheduled):
    event = scheduled()
    ParticipantFactory.create_batch(3, event=event, bib="12")

    response = Client().get(share())
    html = response.content.decode()

    assert response.status_code == 200
    for text in (
        "Casco Bay Races",
        "5K",
        "Up to date",
        "HIGH",
        "05:59:20 EDT",
        "<dd>3</dd>",
        "Next check",
        "Readiness",
    ):
        assert text in html, text
    assert html.count("<h1") == 1


def test_nothing_personal_stands_on_the_page_whatever_is_in_the_database(share, scheduled, run_of, staff, race, now):
    canaries = ["Kanarienvogel", "Zitronenfalter", "canary@example.test", "9988776", "555-0199", "Kreuzberg Road"]
    person = {
        "first_name": "Kanarienvogel",
        "last_name": "Zitronenfalter",
        "email": "canary@example.test",
        "bib": "9988776",
        "phone": "555-0199",
        "street": "Kreuzberg Road",
    }
    said = "Kanarienvogel Zitronenfalter canary@example.test 9988776"
    states = [
        scheduled("Fine"),
        scheduled("Held", hold_reason=said),
        scheduled("Failing", failures=3, due_at=now + timedelta(minutes=2)),
        scheduled("Late", failures=1, due_at=now - timedelta(minutes=9)),
        EventFactory(race=race, name="Unplaced", starts_at=now + timedelta(hours=1)),
    ]
    for event in states:
        # Two of the same name with one bib: a doubt that names them on the race's own page.
        ParticipantFactory.create_batch(2, event=event, **person)
        run_of(event, outcome="failed", error_text=said, trigger="manual")
    race.partner.contact_email = "canary@example.test"
    race.partner.save()
    address = share(label="Kanarienvogel Zitronenfalter")

    reader = Client()
    reader.force_login(staff)
    for client in (Client(), reader):
        for url in (address, f"{address}live/"):
            html = client.get(url).content.decode()
            assert "Failing" in html
            assert [canary for canary in canaries if canary in html] == [], url
            assert staff.username not in html
            assert "/races/" not in html


def test_a_switched_off_race_says_so_in_words_of_our_own(share, scheduled, race):
    scheduled()
    race.sync_enabled = False
    race.save()

    assert "switched off" in Client().get(share()).content.decode().lower()


def test_a_link_never_reaches_another_race(share, race, scheduled):
    scheduled()
    other = RaceFactory(partner=race.partner, credential=race.credential, name="The Other One")
    EventFactory(race=other, name="Other 5K", starts_at=scheduled().starts_at)

    html = Client().get(share()).content.decode()

    assert "The Other One" not in html
    assert "Other 5K" not in html
    assert Client().get(reverse("race_page", args=[race.pk])).status_code == 302


def test_a_revoked_link_is_dead_at_once_and_the_open_page_learns_it(share, race, director, member, log_in, now, clock):
    address = share()
    link = ShareLink.objects.get()
    client = log_in(member)

    assert client.post(reverse("share_link_revoke", args=[race.pk, link.pk])).status_code == 302

    response = Client().get(address)
    assert response.status_code == 404
    assert "not valid any more" in response.content.decode()
    live = Client().get(f"{address}live/")
    assert (live.status_code, live["HX-Refresh"]) == (404, "true")
    link.refresh_from_db()
    assert (link.revoked_at, link.revoked_by, link.created_by) == (now, member, director)
    # Whoever revokes it again changes nothing.
    clock.now = now + timedelta(hours=1)
    log_in(director).post(reverse("share_link_revoke", args=[race.pk, link.pk]))
    link.refresh_from_db()
    assert (link.revoked_at, link.revoked_by) == (now, member)


def test_a_link_ends_by_the_clock_the_day_after_the_last_event(share, scheduled, race, clock, now):
    scheduled()
    EventFactory(race=race, name="Sunday Mile", starts_at=now + timedelta(days=1))
    address = share()

    # Sunday Mile is on June 7: the whole of June 8 in New York.
    ends = datetime(2026, 6, 9, 4, 0, tzinfo=UTC)
    assert ShareLink.objects.get().expires_at == ends
    clock.now = ends - timedelta(seconds=1)
    assert Client().get(address).status_code == 200
    clock.now = ends
    assert Client().get(address).status_code == 404


@pytest.mark.parametrize(
    ("until", "made"),
    [("2026-06-06", True), ("2026-09-03", True), ("2026-09-04", False), ("2026-06-05", False), ("tomorrow", False)],
)
def test_the_last_day_may_be_chosen_between_today_and_90_days(race, director, log_in, until, made, now):
    response = log_in(director).post(reverse("share_links", args=[race.pk]), {"until": until})

    assert ShareLink.objects.exists() is made
    assert ("No link was made" in response.content.decode()) is not made
    assert not ShareLink.objects.filter(expires_at__gt=now + timedelta(days=90)).exists()


def test_a_race_with_nothing_to_come_is_shared_until_tomorrow(share, race, now):
    share()

    assert ShareLink.objects.get().expires_at.date() == date(2026, 6, 8)


def test_what_is_kept_is_the_hash_who_made_it_and_when(share, director, race, now, log_in):
    address = share(label="Registration tent")

    link = ShareLink.objects.get()
    token = address.split("/")[2]
    assert link.token_hash == token_hash(token)
    assert (link.race, link.label, link.created_by, link.created_at) == (race, "Registration tent", director, now)
    again = log_in(director).get(reverse("share_links", args=[race.pk]))
    assert "Registration tent" in again.content.decode()
    assert token not in again.content.decode()
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(link)::text FROM races_sharelink AS link")
        assert token not in cursor.fetchone()[0]
        cursor.execute("SELECT count(*) FROM django_session WHERE position(%s IN session_data) > 0", [token])
        assert cursor.fetchone() == (0,)


def test_its_last_use_is_noted_to_the_hour_and_once_an_hour(share, clock, now):
    address = share()
    clock.now = now + timedelta(minutes=41)
    Client().get(address)
    assert ShareLink.objects.get().last_used_at == now

    clock.now = now + timedelta(minutes=55)
    with CaptureQueriesContext(connection) as captured:
        Client().get(address)
    assert not any(query["sql"].startswith("UPDATE") for query in captured)


def test_the_page_is_nobody_elses_to_keep_or_to_find(share):
    address = share()

    for url in (address, f"{address}live/", "/share/unknown-and-never-made/"):
        response = Client().get(url)
        assert "no-store" in response["Cache-Control"]
        assert response["Referrer-Policy"] == "no-referrer"
        assert "noindex" in response["X-Robots-Tag"]
        assert "script-src 'self'" in response["Content-Security-Policy"]
        assert not response.cookies


def test_the_page_keeps_itself_current(share, scheduled):
    event = scheduled()
    address = share()
    page = Client().get(address).content.decode()
    live = Client().get(f"{address}live/")

    assert f'hx-get="{address}live/"' in page
    assert '<noscript><meta http-equiv="refresh"' in page
    assert live.content.decode() in page
    assert Client().get(f"{address}live/", headers={"If-None-Match": live["ETag"]}).status_code == 304
    ParticipantFactory(event=event)
    # As each visit does that brings somebody.
    event.sync.save()
    assert Client().get(f"{address}live/", headers={"If-None-Match": live["ETag"]}).status_code == 200


@pytest.mark.parametrize("token", ["x", "a" * 43, "a" * 5000, "%00", "live"])
def test_a_wrong_address_says_that_it_is_not_valid(token, share):
    share()

    response = Client().get(f"/share/{token}/")

    assert response.status_code == 404
    assert "This link is not valid any more" in response.content.decode()


def test_the_page_for_a_dead_link_is_shown_while_developing_too(settings):
    settings.DEBUG = True

    assert "This link is not valid any more" in Client().get("/share/unknown-and-never-made/").content.decode()


def test_only_who_may_see_the_race_makes_lists_and_revokes_links(
    share, race, director, member, staff, stranger, log_in
):
    for user in (director, member, staff):
        share(user=user)
    links = reverse("share_links", args=[race.pk])
    revoke = reverse("share_link_revoke", args=[race.pk, ShareLink.objects.first().pk])

    for method in ("get", "post"):
        assert getattr(log_in(stranger), method)(links).status_code == 404
        assert getattr(Client(), method)(links).status_code == 302
    assert log_in(stranger).post(revoke).status_code == 404
    assert Client().post(revoke).status_code == 302
    assert log_in(director).get(revoke).status_code == 405
    foreign = reverse("share_link_revoke", args=[RaceFactory().pk, ShareLink.objects.first().pk])
    assert log_in(director).post(foreign).status_code == 404
    assert ShareLink.objects.filter(revoked_at=None).count() == 3


def test_a_link_is_neither_made_nor_revoked_without_the_forms_own_token(share, race, director):
    share()
    client = Client(enforce_csrf_checks=True)
    client.force_login(director)

    assert client.post(reverse("share_links", args=[race.pk])).status_code == 403
    link = ShareLink.objects.get()
    assert client.post(reverse("share_link_revoke", args=[race.pk, link.pk])).status_code == 403
    assert ShareLink.objects.get().revoked_at is None


def test_looking_makes_no_link(race, director, log_in):
    assert log_in(director).get(reverse("share_links", args=[race.pk])).status_code == 200
    assert not ShareLink.objects.exists()


def test_the_pages_ask_the_same_for_1_and_for_50(share, race, director, scheduled, log_in, now):
    scheduled()
    address = share()
    Client().get(address)
    client = log_in(director)
    urls = [(Client(), address), (Client(), f"{address}live/"), (client, reverse("share_links", args=[race.pk]))]

    def queries() -> list[int]:
        counts = []
        for browser, url in urls:
            with CaptureQueriesContext(connection) as captured:
                assert browser.get(url).status_code == 200
            counts.append(len(captured))
        return counts

    before = queries()
    for number in range(49):
        EventSyncFactory(
            event=EventFactory(race=race, name=f"Event {number}", starts_at=now + timedelta(hours=2)),
            tier="HIGH",
            due_at=now + timedelta(seconds=20),
            checked_at=now,
        )
        ShareLink.objects.create(
            race=race, token_hash=f"{number:064}", created_by=director, created_at=now, expires_at=now
        )

    assert queries() == before
    assert before[1] <= 15
    assert before[2] <= 15


def test_a_log_never_says_a_shares_address(share):
    address = share()
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, f"Not Found: {address}", None, None)
    record.path = address

    for formatter in (JsonFormatter(), LineFormatter()):
        line = formatter.format(record)
        assert address.split("/")[2] not in line
        assert "/share/" in line
    assert json.loads(JsonFormatter().format(record))["path"].startswith("/share/…")
