"""What people do from beginning to end, in a real browser."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from partners.gate import database_now
from partners.models import Credential
from partners.runsignup.sandbox import SandboxServer, build_world
from races.models import Event, Race
from sync import tasks
from sync.models import Heartbeat
from sync.services.cycles import cycle_run
from sync.services.lanes import lane_run
from tests.e2e.site_rows import site_rows_make
from tests.e2e.visitor import SOON
from tests.factories import ParticipantFactory, RaceAccessFactory, UserFactory

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

PASSPHRASE = "a long enough passphrase"


def with_passphrase(user):
    user.set_password(PASSPHRASE)
    user.save()
    return user


@pytest.fixture
def staff():
    return with_passphrase(UserFactory(username="crew", is_staff=True, is_superuser=True))


@pytest.fixture
def places(staff):
    return site_rows_make(staff=staff, now=datetime.now(UTC))


@pytest.fixture
def director(places):
    return with_passphrase(RaceAccessFactory(race=Race.objects.get(pk=places.race_pk)).user)


@pytest.fixture
def provider(settings):
    """RunSignUp with one timing company and one race of two events."""
    world = build_world(seed=7, keys=1, races=1, events=2, participants=30)
    with SandboxServer(world) as server:
        settings.RUNSIGNUP_URL = server.url
        yield next(iter(world.keys.values()))


def test_staff_onboard_a_partner_and_reach_a_fresh_race_page(visit, staff, provider):
    visitor = visit()
    page = visitor.open(reverse("admin:partners_timingpartner_add"))
    page.get_by_label("User name").fill("crew")
    page.get_by_label("Password").fill(PASSPHRASE)
    page.get_by_role("button", name="Log in").click()

    page.get_by_label("Name:").fill("Ridgeline Timing")
    page.get_by_label("API key:").fill(provider.key)
    page.get_by_label("API secret:").fill("not the secret at all")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errorlist").first).to_contain_text("RunSignUp")
    page.get_by_label("API secret:").fill(provider.secret)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messages")).to_contain_text("Its races are looked for now, then its history is loaded.")

    # What a cluster would do now.
    key = Credential.objects.get()
    tasks.discovery(key.pk)
    visitor.open(reverse("race_list"))
    page.locator(".race a").first.click()
    expect(page.locator(".sentence")).to_contain_text("Their lists were never loaded")
    cycle_run(now=database_now(), call_lanes=False)
    lane_run(credential_id=key.pk)

    expect(page.locator(".sentence")).to_contain_text("Up to date", timeout=SOON)
    assert visitor.messages == []


def test_a_directors_morning_from_the_list_of_races_to_what_changed_since_the_export(visit, director, places, tmp_path):
    visitor = visit(director)
    page = visitor.open(reverse("race_list"))
    page.get_by_role("link", name="Harbor Lights Half & 5K").click()
    page.get_by_role("link", name="5K", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("5K")

    with page.expect_download() as downloading:
        page.get_by_role("button", name="CSV").click()
    downloading.value.save_as(tmp_path / "list.csv")
    with (tmp_path / "list.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == 5

    ParticipantFactory(
        event=Event.objects.get(pk=places.event_pk), first_name="Nina", last_name="Latecomer", bib="1208"
    )
    page.reload()
    page.get_by_role("link", name="1 change since").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Changes since")
    expect(page.locator(".people tbody tr")).to_have_count(1)
    expect(page.locator(".people tbody tr")).to_contain_text("Nina Latecomer")
    page.get_by_role("link", name="Nina Latecomer").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Nina Latecomer")
    assert visitor.messages == []


def test_a_director_logs_in_finds_a_runner_and_asks_for_a_sync_with_the_keyboard_alone(visit, director, places):
    visitor = visit()
    page = visitor.open(reverse("event_page", args=[places.race_pk, places.event_pk]))
    visitor.tab_to(page.get_by_label("User name"))
    page.keyboard.type(director.username)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSPHRASE)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("5K")

    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    sync_now = page.get_by_role("button", name="Sync now")
    # The bar at the top is skipped: two links lie between.
    visitor.tab_to(sync_now, most=3)
    assert sync_now.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator(".asked")).to_contain_text("1 event is")

    visitor.tab_to(page.get_by_label("Name or bib"))
    page.keyboard.type("1207")
    page.keyboard.press("Enter")
    runner = page.get_by_role("link", name="Ada Tidewater")
    expect(runner).to_be_visible()
    visitor.tab_to(runner)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Ada Tidewater")
    assert visitor.messages == []


def test_a_silent_scheduler_is_said_on_an_open_page_and_taken_back_when_it_runs_again(visit, director, places):
    visitor = visit(director, viewport={"width": 390, "height": 800})
    page = visitor.open(reverse("race_page", args=[places.race_pk]))
    banner = page.locator("#live .banner")
    expect(banner).to_have_count(0)

    Heartbeat.objects.update(beat_at=datetime.now(UTC) - timedelta(minutes=7))
    expect(banner).to_contain_text(re.compile("Scheduler silent since .* events are not being synced"), timeout=SOON)
    expect(banner).to_be_in_viewport()

    Heartbeat.objects.update(beat_at=datetime.now(UTC) + timedelta(minutes=10))
    expect(banner).to_have_count(0, timeout=SOON)
    assert visitor.messages == []


def test_a_page_without_javascript_loads_itself_again(visit, director, places):
    visitor = visit(director, java_script_enabled=False)
    asked_every = []

    def hurried(route) -> None:
        """The page asks to be loaded again in 15 s; the test does not wait so long."""
        answer = route.fetch()
        body, count = re.subn(r'(http-equiv="refresh" content=)"(\d+)"', r'\1"1"', answer.text())
        asked_every.append(count)
        route.fulfill(response=answer, body=body)

    visitor.context.route(re.compile(r"/races/\d+/$"), hurried)
    visitor.page.goto(visitor.site + reverse("race_page", args=[places.race_pk]))
    registered = visitor.page.locator("article", has_text="5K").locator(".counts dd").first
    expect(registered).to_have_text("5")

    ParticipantFactory(event=Event.objects.get(pk=places.event_pk))

    expect(registered).to_have_text("6", timeout=SOON)
    assert asked_every[0] == 1
