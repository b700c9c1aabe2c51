"""What staff read about the machine: keys, cycles and what fails, in the words of all pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from sync.models import Cycle

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

ERROR = "RunSignUp is unavailable (HTTP 503)."


@pytest.fixture
def page(log_in, staff):
    def shown() -> str:
        response = log_in(staff).get(reverse("operations"))
        assert response.status_code == 200
        return response.content.decode()

    return shown


def key_of(page: str) -> str:
    """The row of the only key."""
    return page.split('<table class="keys')[1].split("<tbody>")[1].split("</tr>")[0]


def test_what_a_good_key_sees_is_no_error(page, race):
    race.credential.status_detail = "valid, 8 races, 61 upcoming events"
    race.credential.save()

    row = key_of(page())

    assert '<span class="detail">valid, 8 races, 61 upcoming events</span>' in row
    assert 'data-kind="good"' in row
    assert 'class="error"' not in row


def test_a_key_whose_runs_fail_is_failing_in_words_though_the_key_is_good(page, scheduled, run_of):
    first, second = scheduled("5K"), scheduled("10K")
    for event in (first, second):
        run_of(event, ago=timedelta(minutes=5), outcome="ok")
        run_of(event, outcome="failed", error_text=ERROR)

    row = key_of(page())

    assert 'data-kind="bad"' in row
    assert "failing</span>" in row
    assert f'<span class="error">2 of 2 events fail: {ERROR}</span>' in row


def test_one_event_that_fails_among_others_is_a_warning(page, scheduled, run_of):
    run_of(scheduled("5K"))
    run_of(scheduled("10K"), outcome="failed", error_text=ERROR)

    row = key_of(page())

    assert 'data-kind="warn"' in row
    assert f"1 of 2 events fails: {ERROR}" in row


def test_a_key_whose_events_recovered_does_not_fail_any_more(page, scheduled, run_of):
    event = scheduled()
    run_of(event, ago=timedelta(minutes=5), outcome="failed", error_text=ERROR)
    run_of(event)

    assert 'data-kind="good"' in key_of(page())


def test_cycles_count_outcomes_in_the_words_of_the_runs(page, now):
    Cycle.objects.create(started_at=now, finished_at=now, ok=1, unchanged=2, throttled=3, failed=4, refused=5, lost=6)

    assert "1 updated, 2 no change, 3 throttled, 4 failed, 5 refused, 6 lost" in page()
