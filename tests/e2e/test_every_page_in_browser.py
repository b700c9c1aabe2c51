"""What holds for every page: no finding of axe in either theme, no word in the console, room on a phone."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from importlib.resources import files

import pytest
from playwright.sync_api import Page

from tests.e2e import site_pages
from tests.e2e.site_pages import Places, admin_urls, page_urls, url_names
from tests.e2e.site_rows import site_rows_make
from tests.e2e.visitor import Visitor
from tests.factories import UserFactory

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
# What can differ between the themes; everything else is looked at once.
OF_COLOURS = ["color-contrast", "link-in-text-block"]
# Markup of Django's own admin. What is not mended in our templates is named here, so that nothing else hides behind it.
DJANGOS_OWN = (
    ("aria-prohibited-attr", "help-tooltip"),
    ("aria-input-field-name", "select2-selection"),
    ("empty-table-header", "<th"),
)
PHONE = {"width": 360, "height": 740}
WIDE = {"width": 1280, "height": 900}
TOO_SMALL = (
    """all => all.filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 44).map(e => e.outerHTML)"""
)
LIGHTNESS = """() => {
    const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number);
    return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}"""


@pytest.fixture
def staff():
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.fixture
def places(db, staff) -> Places:
    return site_rows_make(staff=staff, now=datetime.now(UTC))


def axe_findings(page: Page, *, only: list[str] | None = None) -> list[str]:
    """Each rule that does not hold, with the elements."""
    options = {"resultTypes": ["violations"], "preload": False, **({"runOnly": only} if only else {})}
    found = page.evaluate("async options => (await axe.run(document, options)).violations", options)
    return [
        f"{rule['id']}: {node['html'][:160]} {node['any'][0]['message'] if node['any'] else ''}"
        for rule in found
        for node in rule["nodes"]
    ]


def troubles_of(visitor: Visitor, url: str) -> list[str]:
    """What axe finds on a page in light and in dark, and what the console said. The page stays open."""
    visitor.page.emulate_media(color_scheme="light")
    page = visitor.open(url)
    troubles = [f"the console says {text}" for text in visitor.messages]
    page.evaluate(AXE)
    troubles += axe_findings(page)
    page.emulate_media(color_scheme="dark")
    # Else the colours of the other theme are still on their way.
    page.evaluate("document.getAnimations().forEach(animation => animation.finish())")
    troubles += [f"in the dark, {finding}" for finding in axe_findings(page, only=OF_COLOURS)]
    troubles += ["in the dark its ground is light"] if page.evaluate(LIGHTNESS) > 0.2 else []
    # What axe itself tried.
    visitor.messages.clear()
    return troubles


def troubles_on_a_phone(page: Page) -> list[str]:
    page.set_viewport_size(PHONE)
    width = page.evaluate("document.documentElement.scrollWidth")
    small = page.eval_on_selector_all("button, summary, nav a, input:not([type=hidden])", TOO_SMALL)
    page.set_viewport_size(WIDE)
    troubles = [f"{width} px wide on a phone"] if width > PHONE["width"] else []
    return troubles + [f"too small to touch: {element[:160]}" for element in small]


def in_words(troubles: dict[str, list[str]]) -> str:
    """Each trouble once, with the pages that have it."""
    pages: dict[str, list[str]] = defaultdict(list)
    for name, found in troubles.items():
        for trouble in found:
            pages[trouble].append(name)
    return "\n".join(f"{trouble} ({len(names)} pages: {', '.join(names[:3])})" for trouble, names in pages.items())


def test_every_url_has_its_place_in_the_table_of_pages():
    kinds = [set(site_pages.PAGES), site_pages.POLLED, site_pages.STEPS, site_pages.FILES, site_pages.POSTED]

    assert sorted(name for kind in kinds for name in kind) == sorted(url_names())


def test_no_page_has_a_finding_of_axe_or_a_word_in_the_console_and_each_fits_a_phone(visit, staff, places):
    reader, anybody = visit(staff, viewport=WIDE), visit(viewport=WIDE)
    troubles = {}

    for name, url in page_urls(places).items():
        visitor = anybody if name in site_pages.WITHOUT_LOGIN else reader
        troubles[name] = troubles_of(visitor, url) + troubles_on_a_phone(visitor.page)

    assert not any(troubles.values()), in_words(troubles)


def test_no_page_of_the_admin_has_a_finding_of_axe_that_is_not_djangos_or_a_word_in_the_console(visit, staff, places):
    reader = visit(staff, viewport=WIDE)
    troubles = {}

    for name, url in admin_urls().items():
        found = troubles_of(reader, url)
        troubles[name] = [
            trouble for trouble in found if not any(all(w in trouble for w in own) for own in DJANGOS_OWN)
        ]

    assert not any(troubles.values()), in_words(troubles)


def test_without_javascript_each_live_page_loads_itself_again_and_no_page_stays_empty(visit, staff, places):
    options = {"java_script_enabled": False}
    reader, anybody = visit(staff, **options), visit(**options)
    refreshed, empty = set(), []

    for name, url in page_urls(places).items():
        visitor = anybody if name in site_pages.WITHOUT_LOGIN else reader
        page = visitor.page
        page.goto(visitor.site + url)
        refreshed |= {name} if page.locator("meta[http-equiv=refresh]").count() else set()
        empty += [] if len(page.locator("main").inner_text()) > 20 else [name]

    assert refreshed == site_pages.LIVE
    assert empty == []
