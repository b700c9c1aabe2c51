"""The polled part of a page: the same template, and nothing sent twice."""

from __future__ import annotations

import re
from datetime import timedelta
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from races.models import Event, Race
from races.share_links import share_link_create
from sync.models import EventSync
from tests.factories import EventFactory, EventSyncFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture
def pages(scheduled, run_of):
    """(page, fragment) URLs of everything that polls."""
    event = scheduled()
    run_of(event)
    return [
        (reverse("race_list"), reverse("race_list_live")),
        (reverse("race_page", args=[event.race_id]), reverse("race_live", args=[event.race_id])),
        (
            reverse("event_page", args=[event.race_id, event.pk]),
            reverse("event_live", args=[event.race_id, event.pk]),
        ),
        (reverse("operations"), reverse("operations_live")),
        tuple(reverse(name, args=[event.race.partner.slug]) for name in ("partner_page", "partner_live")),
    ]


def test_a_fragment_is_byte_for_byte_what_the_page_includes(log_in, staff, pages):
    client = log_in(staff)

    for page, fragment in pages:
        whole, part = client.get(page).content.decode(), client.get(fragment).content.decode()
        assert part.strip()
        assert part in whole
        assert f'hx-get="{fragment}' in whole


def test_an_unchanged_fragment_is_not_sent_again(log_in, staff, pages):
    client = log_in(staff)

    for _page, fragment in pages:
        first = client.get(fragment)
        again = client.get(fragment, headers={"If-None-Match": first["ETag"]})
        assert again.status_code == 304
        assert again.content == b""
        assert again["ETag"] == first["ETag"]
        assert "no-cache" in again["Cache-Control"]
        assert "private" in first["Cache-Control"]


def test_a_changed_fragment_is_sent_with_another_tag(log_in, director, race, scheduled):
    event = scheduled()
    client = log_in(director)
    url = reverse("race_live", args=[race.pk])
    first = client.get(url)

    event.sync.checked_at += timedelta(seconds=30)
    event.sync.save()
    again = client.get(url, headers={"If-None-Match": first["ETag"]})

    assert again.status_code == 200
    assert again["ETag"] != first["ETag"]


def test_seconds_that_pass_alone_do_not_change_a_page(log_in, director, race, scheduled, monkeypatch, now):
    scheduled()
    client = log_in(director)
    url = reverse("race_live", args=[race.pk])
    monkeypatch.setattr("sync.web.views.database_now", lambda: now + timedelta(seconds=2))
    first = client.get(url)
    monkeypatch.setattr("sync.web.views.database_now", lambda: now + timedelta(seconds=7))

    assert client.get(url, headers={"If-None-Match": first["ETag"]}).status_code == 304


def test_nothing_of_a_page_is_inline(log_in, staff, pages):
    client = log_in(staff)

    for page, _fragment in pages:
        response = client.get(page)
        whole = response.content.decode()
        assert "script-src 'self'" in response["Content-Security-Policy"]
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", whole)
        assert whole.count("<h1") == 1


def test_a_page_without_javascript_loads_itself_again(log_in, staff, pages):
    client = log_in(staff)

    for page, _fragment in pages:
        assert '<noscript><meta http-equiv="refresh"' in client.get(page).content.decode()


@pytest.mark.parametrize("name", ["race_live", "race_checks", "race_doubts"])
def test_a_poll_of_a_race_that_nothing_changed_asks_four_questions(
    log_in, director, race, scheduled, name, django_assert_max_num_queries
):
    event = scheduled()
    client, url = log_in(director), reverse(name, args=[race.pk])
    headers = {"HX-Request": "true"}

    with mock.patch("sync.web.stamps.LASTS_SECONDS", 10**9):
        first = client.get(url, headers=headers)
        with django_assert_max_num_queries(4):
            again = client.get(url, headers={**headers, "If-None-Match": first["ETag"]})
        event.sync.picked_at = event.starts_at
        event.sync.save()
        changed = client.get(url, headers={**headers, "If-None-Match": first["ETag"]})

    assert again.status_code == 304
    assert again["ETag"] == first["ETag"]
    assert changed["ETag"] != first["ETag"]


def test_a_stamp_stands_for_one_reader_and_one_answer_only(log_in, director, race, scheduled):
    scheduled()
    url = reverse("race_checks", args=[race.pk])
    first = log_in(director).get(url, headers={"HX-Request": "true"})

    page = log_in(director).get(url, headers={"If-None-Match": first["ETag"]})
    race.access.all().delete()
    nothing = log_in(director).get(url, headers={"HX-Request": "true", "If-None-Match": first["ETag"]})

    assert page.status_code == 200
    assert nothing.status_code == 404


@pytest.fixture
def asked(log_in, staff):
    """Polls an address as staff; with `tag`, as one who has that copy."""
    client = log_in(staff)

    def poll(url: str, tag: str = ""):
        return client.get(url, headers={"HX-Request": "true", **({"If-None-Match": tag} if tag else {})})

    return poll


@pytest.fixture
def listed(monkeypatch, scheduled, run_of, staff, now):
    """An event, and the addresses of every list of races that polls; time alone changes nothing."""
    for module in ("stamps", "race_list"):
        monkeypatch.setattr(f"sync.web.{module}.LASTS_SECONDS", 10**9)
    for views in ("partner_views", "share_views"):
        monkeypatch.setattr(f"sync.web.{views}.database_now", lambda: now)
    event = scheduled()
    run_of(event)
    _link, token = share_link_create(race=event.race, label="", expires_at=event.starts_at, created_by=staff, now=now)
    partner = reverse("partner_races", args=[event.race.partner.slug])
    return event, [reverse("race_list_live"), partner, reverse("share_live", args=[token])]


def is_made_anew(captured) -> bool:
    """Not answered from its stamp; the bytes may still be the same."""
    return any("sync_policy" in query["sql"] for query in captured.captured_queries)


def test_a_poll_of_a_list_of_races_that_nothing_changed_reads_no_state(listed, asked):
    _event, urls = listed

    for url in urls:
        tag = asked(url)["ETag"]
        with CaptureQueriesContext(connection) as captured:
            assert asked(url, tag).status_code == 304
        assert not is_made_anew(captured)
        assert len(captured) <= 8


@pytest.mark.parametrize(
    "change",
    [
        lambda event, run: EventSync.objects.filter(pk=event.pk).update(failures=3),
        lambda event, run: Event.objects.filter(pk=event.pk).update(gone_at=event.starts_at),
        lambda event, run: Race.objects.filter(pk=event.race_id).update(sync_enabled=False),
        lambda event, run: EventSyncFactory(event=EventFactory(race=event.race, starts_at=event.starts_at)),
        lambda event, run: run(event, ago=timedelta(0), outcome="", finished_at=None, lease_until=event.starts_at),
    ],
    ids=["state", "event", "race", "another event", "a run that begins"],
)
def test_a_list_of_races_is_made_anew_after_whatever_was_written(listed, asked, run_of, change):
    event, urls = listed
    tags = {url: asked(url)["ETag"] for url in urls}

    change(event, run_of)

    for url, tag in tags.items():
        with CaptureQueriesContext(connection) as captured:
            asked(url, tag)
        assert is_made_anew(captured), url


def test_a_race_that_comes_or_leaves_is_in_the_next_poll_of_the_list(listed, asked):
    event, (url, *_others) = listed
    tag = asked(url)["ETag"]

    other = EventFactory(race=RaceFactory(name="Another Race"), starts_at=event.starts_at)
    came = asked(url, tag)
    other.race.delete()
    left = asked(url, came["ETag"])

    assert "Another Race" in came.content.decode()
    assert (left.status_code, "Another Race" in left.content.decode()) == (200, False)
