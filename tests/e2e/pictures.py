"""`make pictures`: every page into docs/pictures/, wide and on a phone, light and dark, on a busy Saturday.

Starts the demo's Saturday by itself, waits until it has some history, and stops it again. The names of the files are
the names of the pages, so that a picture that changed replaces the old one.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

DATABASE, PORT = "pictures", 8388
os.environ |= {"DEBUG": "true", "EMBEDDED_DATABASE": DATABASE, "DJANGO_ALLOW_ASYNC_UNSAFE": "true"}
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project88.settings")

import django  # noqa: E402

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.db.models import Count  # noqa: E402
from django.utils import timezone  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from partners.gate import database_now  # noqa: E402
from races.models import Event, Participant, Race, StartListExport  # noqa: E402
from races.share_links import share_link_create  # noqa: E402
from races.start_list_export import export_make  # noqa: E402
from sync.demo.people import DIRECTOR, STAFF  # noqa: E402
from sync.models import Cycle  # noqa: E402
from sync.processes import MANAGE  # noqa: E402
from sync.web.exports import heading_now  # noqa: E402
from tests.e2e.site_pages import WITHOUT_LOGIN, Places, page_urls  # noqa: E402
from tests.e2e.visitor import Visitor  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
SITE = f"http://127.0.0.1:{PORT}"
CHROMIUM = "/usr/bin/chromium"
STARTS_WITHIN, HISTORY, CHANGES_A_MINUTE = 900.0, 100.0, 240
QUALITY = 25
# Pages of the admin that somebody who reads the README wants to see before they install it.
ADMIN = {
    "admin": "/admin/",
    "admin_onboarding": "/admin/partners/timingpartner/add/",
    "admin_keys": "/admin/partners/credential/",
    "admin_policy": "/admin/sync/policy/1/change/",
}
OF_STAFF = {
    *("operations", "operations_keys", "operations_day", "weekend", "runs", "cycles", "search"),
    *("partner_page", "partner_ahead", "partner_races", "partner_access", "partner_races_choose", "partner_leave"),
    *("key_rotate", "second_factor"),
}
_never = threading.Event()


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """CSS pixels. A longer page is cut off: what is worth a picture is at its top."""

    name: str
    width: int
    height: int
    most: int
    scale: float


SCREENS = (
    Screen(name="wide", width=1280, height=900, most=1100, scale=1),
    Screen(name="phone", width=390, height=844, most=1100, scale=1.5),
)
THEMES = ("light", "dark")


def pictures_make() -> None:
    FOLDER.mkdir(exist_ok=True)
    begun = timezone.now()
    with saturday():
        # The database of the last time is there until the demo throws it away: its cycles are none of this demo.
        cycles = Cycle.objects.filter(started_at__gt=begun)
        wait_for(cycles.exists, seconds=STARTS_WITHIN, what="the cluster of the demo runs")
        race = race_choose()
        export = start_list_take(race)
        # What changes meanwhile is on the pictures.
        _never.wait(HISTORY)
        places = places_choose(race, export)
        for old in FOLDER.glob("*.webp"):
            old.unlink()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            for screen in SCREENS:
                for theme in THEMES:
                    pictures_take(browser, places, screen=screen, theme=theme)
            browser.close()
    size = sum(picture.stat().st_size for picture in FOLDER.glob("*.webp"))
    print(f"{len(list(FOLDER.glob('*.webp')))} pictures, {size / 1e6:.1f} MB, in {FOLDER}")


@contextmanager
def saturday() -> Iterator[None]:
    """The demo as `make demo` starts it, until we are done with it."""
    argv = [*MANAGE, "demo", "--world", "saturday", "--port", str(PORT), "--life", str(CHANGES_A_MINUTE)]
    demo = subprocess.Popen(argv, start_new_session=True)
    try:
        yield
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.wait(timeout=90)


def wait_for(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    """The demo throws the database away and makes a new one, so in its first seconds nobody can be asked."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except django.db.Error:
            django.db.connection.close()
        if time.monotonic() > deadline:
            sys.exit(f"After {seconds:.0f} s still not: {what}.")
        _never.wait(1)


def race_choose() -> Race:
    """The largest of those that the director sees."""
    races = Race.objects.filter(access__user__username=DIRECTOR)
    return races.annotate(size=Count("events")).order_by("-size", "pk")[0]


def start_list_take(race: Race) -> StartListExport:
    now, director = database_now(), get_user_model().objects.get(username=DIRECTOR)
    heading = heading_now(race=race, event=None, now=now)
    return export_make(race=race, event=None, heading=heading, format="csv", made_by=director)


def places_choose(race: Race, export: StartListExport) -> Places:
    """The event of the race that starts next, and who of it changed last."""
    now, staff = database_now(), get_user_model().objects.get(username=STAFF)
    event = Event.objects.filter(race=race, starts_at__gt=now).order_by("starts_at", "pk")[0]
    people = Participant.objects.filter(event=event)
    person = people.filter(changes__kind="changed").order_by("-changes__pk").first() or people.order_by("pk")[0]
    _link, token = share_link_create(
        race=race, label="Announcer", expires_at=now + timedelta(days=2), created_by=staff, now=now
    )
    return Places(
        partner_slug=race.partner.slug,
        race_pk=race.pk,
        event_pk=event.pk,
        participant_pk=person.pk,
        export_pk=export.pk,
        share_token=token,
        search=person.last_name,
    )


def pictures_take(browser: Browser, places: Places, *, screen: Screen, theme: str) -> None:
    users = get_user_model().objects
    looks = {"viewport": {"width": screen.width, "height": screen.height}, "color_scheme": theme}
    visitors = {
        name: Visitor(browser.new_context(**looks, device_scale_factor=screen.scale), SITE, user)
        for name, user in (("", None), (DIRECTOR, users.get(username=DIRECTOR)), (STAFF, users.get(username=STAFF)))
    }
    for name, url in {**page_urls(places), **ADMIN}.items():
        who = "" if name in WITHOUT_LOGIN else STAFF if name in {*ADMIN, *OF_STAFF} else DIRECTOR
        page = visitors[who].open(url)
        # An answer that is an error is one of them, and no picture for anybody.
        if visitors[who].messages:
            sys.exit(f"{url} as {who or 'nobody'}: {'; '.join(visitors[who].messages)}")
        picture = FOLDER / f"{name.removesuffix('_page').removesuffix('_live')}-{screen.name}-{theme}.webp"
        picture.write_bytes(shot(page, screen))
    for visitor in visitors.values():
        visitor.leave()


def shot(page: Page, screen: Screen) -> bytes:
    """As WebP, which Playwright itself does not make: a third of a PNG's size."""
    height = min(page.evaluate("document.documentElement.scrollHeight"), screen.most)
    clip = {"x": 0, "y": 0, "width": screen.width, "height": height, "scale": 1}
    asked = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": True, "clip": clip}
    session = page.context.new_cdp_session(page)
    try:
        return base64.b64decode(session.send("Page.captureScreenshot", asked)["data"])
    finally:
        session.detach()


if __name__ == "__main__":
    pictures_make()
