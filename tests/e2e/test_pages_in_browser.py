"""The pages in a real browser: they update themselves, say when they are stale, and show all columns of a table."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import expect

from races.share_links import share_link_create
from sync.models import EventSync, Heartbeat, SyncRun
from tests.e2e.visitor import SOON
from tests.factories import EventFactory, EventSyncFactory, ParticipantFactory, RaceFactory, UserFactory

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def event():
    """A 5K in two hours with people, a few runs, and a living scheduler."""
    now = datetime.now(UTC)
    Heartbeat.objects.create(name="cycle", beat_at=now + timedelta(seconds=30))
    race = RaceFactory(
        name="A race with a name that is long enough to wrap on every phone", city="Portland", state="ME"
    )
    event = EventFactory(race=race, starts_at=now + timedelta(hours=2))
    EventSyncFactory(
        event=event,
        tier="HIGH",
        checked_at=now - timedelta(seconds=50),
        removals_checked_at=now - timedelta(minutes=3),
        due_at=now + timedelta(minutes=2),
    )
    ParticipantFactory.create_batch(3, event=event, team_name="Gulls Running Club of Casco Bay")
    for minutes in range(12):
        SyncRun.objects.create(
            event=event,
            visit=uuid.uuid4(),
            started_at=now - timedelta(minutes=minutes),
            finished_at=now - timedelta(minutes=minutes),
            outcome="failed" if minutes == 7 else "unchanged",
            error_text="RunSignUp answered HTTP 502 and no JSON." if minutes == 7 else "",
        )
    return event


@pytest.fixture
def open_page(visit, event):
    """Open a page as staff; its `messages` collects what the console said."""
    staff = UserFactory(is_staff=True, is_superuser=True)

    def opened(name: str, **options):
        visitor = visit(staff, **options)
        ids = {"race_page": [event.race_id], "event_page": [event.race_id, event.pk]}
        visitor.page.goto(visitor.site + reverse(name, args=ids.get(name, [])))
        visitor.page.messages = visitor.messages
        return visitor.page

    return opened


def test_a_page_shows_a_new_sync_without_being_loaded_again(open_page, event):
    page = open_page("race_page")
    page.evaluate("window.loadedOnce = true")
    page.get_by_text("Last 12 runs in detail").click()
    expect(page.locator(f"#runs-{event.pk} tbody tr")).to_have_count(12, timeout=SOON)
    expect(page.locator(".counts dd").first).to_have_text("3")

    ParticipantFactory(event=event)

    expect(page.locator(".counts dd").first).to_have_text("4", timeout=SOON)
    assert page.evaluate("window.loadedOnce") is True
    # What the reader opened stays open.
    expect(page.locator(f"#runs-{event.pk}")).to_have_attribute("open", "")
    expect(page.locator(f"#runs-{event.pk} tbody tr")).to_have_count(12)
    assert page.messages == []


def test_the_explanation_comes_again_as_the_reader_left_it_but_not_while_they_copy_it(open_page):
    page = open_page("event_page")
    page.locator("#why-more > summary").click()
    as_of = page.locator("#why-live time")
    before = as_of.text_content()

    # By itself it comes every 15 s.
    page.evaluate("() => { setInterval(() => htmx.trigger('#why-live', 'look-again'), 400) }")
    expect(as_of).not_to_have_text(before, timeout=SOON)
    expect(page.locator("#why-more")).to_have_attribute("open", "")

    page.evaluate("() => getSelection().selectAllChildren(document.querySelector('#why-live dd'))")
    before = as_of.text_content()
    for _ in range(4):
        with page.expect_response(lambda response: "/why/" in response.url, timeout=SOON):
            pass
    assert as_of.text_content() == before
    assert page.evaluate("() => getSelection().toString()") != ""
    assert page.messages == []


def test_a_list_that_became_late_is_announced_once(open_page, event):
    page = open_page("race_page")
    announcement = page.locator("[aria-live=polite]")
    expect(announcement).to_have_text("")

    EventSync.objects.filter(event=event).update(due_at=datetime.now(UTC) - timedelta(minutes=9))

    expect(announcement).to_contain_text("Overdue", timeout=SOON)
    expect(page.locator(".sentence")).to_contain_text("was due")


@pytest.mark.parametrize("name", ["race_page", "event_page", "operations", "runs"])
def test_no_column_of_a_table_is_out_of_sight_at_any_width(open_page, event, name):
    for number in range(2):
        EventFactory(race=event.race, name=f"More {number}", starts_at=event.starts_at)
    page = open_page(name)
    page.eval_on_selector_all("details", "all => all.forEach(box => box.open = true)")
    for box in page.locator("[data-loaded]").all():
        box.scroll_into_view_if_needed()
        expect(box.locator("tbody")).to_have_count(1, timeout=SOON)
    assert page.locator(".scroll").count() >= 1

    cut = {}
    for width in (360, 390, 640, 800, 1000, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        cut[width] = page.eval_on_selector_all(
            ".scroll", "all => all.filter(box => box.scrollWidth > box.clientWidth).map(box => box.id)"
        )

    assert {width: boxes for width, boxes in cut.items() if boxes} == {}


def test_a_row_on_a_phone_names_its_values(open_page):
    page = open_page("event_page", viewport={"width": 390, "height": 800})

    labels = page.eval_on_selector_all(
        ".people tbody tr:first-child [data-label]",
        "all => all.map(cell => getComputedStyle(cell, '::before').content)",
    )
    assert any("Bib" in label for label in labels)
    assert any("Team" in label for label in labels)


def test_the_answer_to_sync_now_is_announced(open_page, event):
    page = open_page("race_page")
    page.get_by_role("button", name="Sync now").click()
    expect(page.locator(".asked")).to_have_text("1 event is in line: next for this key, within 10 s.")

    now = datetime.now(UTC)
    SyncRun.objects.create(
        event=event, visit=uuid.uuid4(), trigger="manual", started_at=now, finished_at=now, outcome="ok", added=3
    )
    EventSync.objects.update(due_trigger="scheduled", due_at=now + timedelta(minutes=1), picked_at=None)

    expect(page.locator(".asked")).to_contain_text("3 new.", timeout=SOON)
    expect(page.locator("[aria-live=polite]")).to_contain_text("3 new.")
    assert page.messages == []


def test_a_page_that_lost_its_server_says_that_it_is_stale_and_recovers(open_page):
    page = open_page("race_page")
    expect(page.locator("#stale")).to_be_hidden()

    page.context.set_offline(True)
    expect(page.locator("#stale")).to_contain_text("This page is stale", timeout=SOON)
    expect(page.locator("#live.is-stale")).to_have_count(1)

    page.context.set_offline(False)
    expect(page.locator("#stale")).to_be_hidden(timeout=SOON)
    expect(page.locator("#live.is-stale")).to_have_count(0)


def test_the_age_of_a_list_is_counted_in_seconds_while_the_server_sends_nothing_new(open_page):
    page = open_page("race_page")
    age = page.locator("dt:text-is('List as of') + dd .relative")

    expect(age).to_have_text(re.compile(r"^\d+ (s|min) ago, nothing changed$"))
    before = age.text_content()
    expect(age).not_to_have_text(before, timeout=SOON)
    assert page.messages == []


def test_a_download_appears_in_the_list_without_loading_the_page_again(open_page):
    page = open_page("race_page")
    expect(page.locator("#exports-taken tbody tr")).to_have_count(0)

    with page.expect_download():
        page.get_by_role("button", name="CSV").click()

    expect(page.locator("#exports-taken tbody tr")).to_have_count(1, timeout=SOON)
    expect(page.locator("#exports-taken .what")).to_contain_text("No change since", timeout=SOON)
    assert page.messages == []


def test_a_part_that_is_not_answered_says_so_while_the_rest_is_current(open_page):
    page = open_page("event_page")
    expect(page.locator("#why-live dl").first).to_be_visible()
    page.route("**/why/", lambda route: route.abort())

    page.evaluate("htmx.trigger(document.getElementById('why-live'), 'look-again')")

    expect(page.locator("#why-live .part-stale")).to_contain_text("This part is stale")
    expect(page.locator("#stale")).to_be_hidden()


def test_a_page_whose_session_ended_goes_to_the_login(open_page):
    page = open_page("race_page")

    Session.objects.all().delete()

    page.wait_for_url(re.compile(r"/login/\?next=/races/\d+/$"), timeout=SOON)
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_everything_works_without_javascript(open_page, event):
    page = open_page("race_page", java_script_enabled=False)

    expect(page.locator(".sentence")).to_contain_text("Up to date")
    assert page.locator("head noscript").inner_html().count("refresh") == 1
    page.get_by_role("button", name="Sync now").click()
    expect(page.locator(".asked")).to_contain_text("1 event is in line: next for this key, within 10 s.")
    page.get_by_role("link", name="5K").click()
    page.get_by_label("Name or bib").fill("nobody of that name")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("main")).to_contain_text("Nobody here is called")


def test_the_search_works_without_javascript_and_by_keyboard(open_page):
    page = open_page("operations", java_script_enabled=False)

    page.get_by_label("Find a race, event, person, bib or id").fill("runner")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="People")).to_be_visible()
    page.get_by_role("link", name="Ada Runner").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Ada Runner")


def test_the_runs_are_filtered_without_javascript(open_page):
    page = open_page("operations", java_script_enabled=False)

    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_label("Outcome").select_option("Any problem")
    page.get_by_role("button", name="Show", exact=True).click()

    expect(page.locator(".ran tbody tr")).to_have_count(1)
    expect(page.locator(".ran .error")).to_have_text("RunSignUp answered HTTP 502 and no JSON.")


def test_a_shared_page_is_not_sent_again_while_nothing_changes(visit, event):
    # No browser keeps a copy of it: the page itself says which one it has.
    now = datetime.now(UTC)
    _link, token = share_link_create(
        race=event.race, label="", expires_at=now + timedelta(days=1), created_by=UserFactory(), now=now
    )
    visitor = visit()
    page = visitor.open(reverse("share_page", args=[token]))

    def polled() -> int:
        with page.expect_response("**/live/", timeout=SOON) as answer:
            page.evaluate("htmx.trigger('#live', 'look-again')")
        return answer.value.status

    answers = [polled() for _ in range(4)]

    assert answers[0] == 200
    assert 304 in answers
    expect(page.locator(".counts dd").first).to_have_text("3")
    assert visitor.messages == []
