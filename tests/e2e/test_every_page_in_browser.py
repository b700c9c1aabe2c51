"""What holds for every page: no word in the console, no finding of axe in either theme, room on a phone."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from importlib.resources import files

import pytest
from playwright.sync_api import Page

from tests.e2e import site_pages
from tests.e2e.site_pages import Places, admin_urls, page_urls, url_names
from tests.e2e.site_rows import site_rows_make
from tests.factories import UserFactory

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
# What can differ between the themes; everything else is looked at once.
OF_COLOURS = ["color-contrast", "link-in-text-block"]
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
    options = {"resultTypes": ["violations"], **({"runOnly": only} if only else {})}
    found = page.evaluate("async options => (await axe.run(document, options)).violations", options)
    return [
        f"{rule['id']}: {node['html'][:160]} {node['any'][0]['message'] if node['any'] else ''}"
        for rule in found
        for node in rule["nodes"]
    ]


def findings_in_both_themes(visitor, urls: dict[str, str]) -> list[str]:
    findings: dict[str, list[str]] = defaultdict(list)
    for name, url in urls.items():
        visitor.page.emulate_media(color_scheme="light")
        page = visitor.open(url)
        # Else the colours of the other theme are still on their way.
        page.add_style_tag(content="* { transition: none !important }")
        page.evaluate(AXE)
        for finding in axe_findings(page):
            findings[finding].append(name)
        page.emulate_media(color_scheme="dark")
        dark = axe_findings(page, only=OF_COLOURS)
        dark += ["its ground is light"] if page.evaluate(LIGHTNESS) > 0.2 else []
        for finding in dark:
            findings[finding].append(f"{name} in the dark")
    return [f"{finding} ({len(names)} pages: {', '.join(names[:3])})" for finding, names in findings.items()]


def test_every_url_has_its_place_in_the_table_of_pages():
    kinds = [set(site_pages.PAGES), site_pages.POLLED, site_pages.FILES, site_pages.POSTED]

    assert sorted(name for kind in kinds for name in kind) == sorted(url_names())


def test_axe_finds_nothing_on_any_page_in_either_theme(visit, staff, places):
    urls = page_urls(places)
    reader, anybody = visit(staff, bypass_csp=True, viewport=WIDE), visit(bypass_csp=True, viewport=WIDE)

    found = findings_in_both_themes(anybody, {name: urls.pop(name) for name in site_pages.WITHOUT_LOGIN})
    found += findings_in_both_themes(reader, urls)

    assert not found, "\n".join(found)


def test_axe_finds_nothing_in_the_admin_in_either_theme(visit, staff, places):
    found = findings_in_both_themes(visit(staff, bypass_csp=True, viewport=WIDE), admin_urls())

    assert not found, "\n".join(found)


def test_no_page_makes_the_console_speak_and_each_fits_a_phone(visit, staff, places):
    reader, anybody = visit(staff, viewport=PHONE), visit(viewport=PHONE)
    said, too_wide, too_small = {}, {}, {}

    for name, url in page_urls(places).items():
        visitor = anybody if name in site_pages.WITHOUT_LOGIN else reader
        page = visitor.open(url)
        said[name], visitor.messages = visitor.messages, []
        too_wide[name] = page.evaluate("document.documentElement.scrollWidth")
        too_small[name] = page.eval_on_selector_all("button, summary, nav a, input:not([type=hidden])", TOO_SMALL)

    assert {name: words for name, words in said.items() if words} == {}
    assert {name: width for name, width in too_wide.items() if width > PHONE["width"]} == {}
    assert {name: elements for name, elements in too_small.items() if elements} == {}


def test_no_page_of_the_admin_makes_the_console_speak(visit, staff, places):
    reader = visit(staff, viewport=WIDE)
    said = {}

    for name, url in admin_urls().items():
        reader.open(url)
        said[name], reader.messages = reader.messages, []

    assert {name: words for name, words in said.items() if words} == {}
