"""The run history of an event, filtered by outcome and by what asked for a run."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture
def history(log_in, director, scheduled, run_of):
    """The run history as the director sees it with a query, and how many runs are in it."""
    event = scheduled()
    for number in range(30):
        run_of(event, ago=timedelta(minutes=number + 1))
    run_of(event, ago=timedelta(minutes=40), outcome="failed", error_text="HTTP 502")
    run_of(event, ago=timedelta(minutes=41), outcome="throttled", trigger="manual")
    run_of(event, ago=timedelta(minutes=42), outcome="ok", trigger="manual")
    run_of(event, ago=timedelta(seconds=2), outcome="", finished_at=None)
    client = log_in(director)

    def shown(query: str) -> tuple[str, int]:
        page = client.get(reverse("event_page", args=[event.race_id, event.pk]) + query).content.decode()
        section = page[page.index('id="history"') :]
        return section, section.count("<tr")

    return shown


@pytest.mark.parametrize(
    ("query", "runs"),
    [
        ("?outcome=problem", 2),
        ("?outcome=failed", 1),
        ("?outcome=running", 1),
        ("?trigger=manual", 2),
        ("?outcome=ok&trigger=manual", 1),
        ("?outcome=ok&trigger=backfill", 0),
    ],
)
def test_only_the_runs_that_were_asked_for_are_shown_and_counted(history, query, runs):
    section, rows = history(query)

    assert f"{runs} found:" in section
    assert rows == (runs + 1 if runs else 0)
    assert ("No run of this event is like that." in section) is (runs == 0)


def test_the_filter_stays_on_further_pages_and_in_the_form(history):
    section, rows = history("?outcome=unchanged&trigger=scheduled&runs=2")

    assert rows == 6
    assert 'href="?runs=1&amp;outcome=unchanged&amp;trigger=scheduled#history"' in section
    assert '<option value="unchanged" selected>' in section
    assert "30 found: No change, Schedule" in section


@pytest.mark.parametrize("query", ["", "?outcome=&trigger=", "?outcome=nonsense&trigger=%00"])
def test_without_a_filter_that_there_is_all_runs_are_shown(history, query):
    section, rows = history(query)

    assert "found:" not in section
    assert rows == 26
    assert 'href="?runs=2#history"' in section
