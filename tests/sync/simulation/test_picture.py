"""The picture of a simulation: an SVG that any page may show, and a line for the terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from sync.core.policy import Tier
from sync.simulation.picture import sparkline, svg

NAMESPACE = "{http://www.w3.org/2000/svg}"
COUNTS = [
    {Tier.HIGH: 4, Tier.MEDIUM: 2, Tier.LOW: 2},
    {Tier.HIGH: 0, Tier.MEDIUM: 0, Tier.LOW: 0},
    {Tier.HIGH: 1, Tier.MEDIUM: 0, Tier.LOW: 0},
]


def picture() -> ElementTree.Element:
    begins = datetime(2026, 6, 6, 4, 0, tzinfo=UTC)
    drawn = svg(COUNTS, begins=begins, bucket=timedelta(hours=1), title="Syncs <of> R&D", caption="One bar is 1 h.")
    return ElementTree.fromstring(drawn)


def test_it_has_a_title_and_a_caption_that_are_read_aloud_and_seen():
    root = picture()
    assert root.findtext(f"{NAMESPACE}title") == "Syncs <of> R&D"
    assert root.findtext(f"{NAMESPACE}desc") == "One bar is 1 h."
    assert [each.text for each in root.iter(f"{NAMESPACE}text")][:2] == ["Syncs <of> R&D", "One bar is 1 h."]


def test_it_needs_no_style_and_no_script():
    for element in picture().iter():
        assert element.tag not in {f"{NAMESPACE}style", f"{NAMESPACE}script"}
        assert "style" not in element.attrib


def test_a_bar_is_as_high_as_its_syncs():
    heights = {
        bar.get("class"): float(bar.get("height", 0))
        for bar in picture().iter(f"{NAMESPACE}rect")
        if bar.get("class", "").startswith("syncs") and float(bar.get("x", 0)) < 100
    }
    assert heights["syncs high"] == 2 * heights["syncs medium"] == 2 * heights["syncs low"] > 0


def test_nothing_at_all_is_still_a_picture():
    empty = svg([], begins=datetime(2026, 6, 6, tzinfo=UTC), bucket=timedelta(hours=1), title="t", caption="c")
    assert ElementTree.fromstring(empty) is not None
    assert sparkline([]) == ""


def test_a_bucket_without_a_sync_is_a_gap_in_the_line():
    assert sparkline(COUNTS) == "█ ▁"
