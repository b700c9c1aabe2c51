"""The line that a full comparison leaves behind: both numbers, who left, and why they differ when they do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from sync.core.reconcile_words import NEVER, Comparison, comparison_text
from sync.core.time_words import Clock

CLOCK = Clock(zone=ZoneInfo("America/New_York"), now=datetime(2026, 6, 6, 11, 30, tzinfo=UTC))
WHOLE = Comparison(
    listed=1243,
    mirror=1243,
    removed=17,
    rejected=0,
    kept=0,
    waits=False,
    checked_at=datetime(2026, 6, 6, 10, 0, tzinfo=UTC),
    now=1243,
)
SAME = "RunSignUp 1,243 · mirror 1,243 · removed 17 · checked 06:00 EDT"


def test_both_numbers_who_left_and_when():
    assert comparison_text(WHOLE, clock=CLOCK) == SAME


@pytest.mark.parametrize(
    ("differs", "words"),
    [
        ({"mirror": 1333, "now": 1333, "kept": 90, "waits": True}, "90 not listed, kept until staff decide"),
        ({"mirror": 1333, "now": 1333, "kept": 90}, "90 not listed, kept by decision of staff"),
        ({"rejected": 1, "mirror": 1242, "now": 1242}, "1 row rejected"),
        ({"rejected": 2}, "2 rows rejected"),
        ({"mirror": 1244, "now": 1244}, "1 came or left while it was read"),
        ({"mirror": 1240, "now": 1240, "rejected": 1}, "1 row rejected · 3 came or left while it was read"),
        ({"now": 1248}, "mirror now 1,248"),
    ],
)
def test_it_says_why_the_numbers_differ_or_might(differs, words):
    assert comparison_text(replace(WHOLE, **differs), clock=CLOCK).endswith(f" · checked 06:00 EDT · {words}")


def test_an_event_that_was_never_compared_says_so():
    assert comparison_text(None, clock=CLOCK) == NEVER
