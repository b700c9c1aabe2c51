"""The cycles for staff, and the drawing of how long they took."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from sync.models import Cycle
from sync.web.cycle_chart import HEIGHT, Bucket, chart_begins, cycle_chart

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture(autouse=True)
def clock(monkeypatch, now):
    monkeypatch.setattr("sync.web.run_views.database_now", lambda: now)


@pytest.fixture
def page(log_in, staff):
    client = log_in(staff)

    def shown(query: str = "", *, status: int = 200) -> str:
        response = client.get(f"{reverse('cycles')}?{query}")
        assert response.status_code == status
        return response.content.decode()

    return shown


@pytest.fixture
def cycle_of(now):
    def make(*, ago: timedelta, took: float | None = 0.05, **counts) -> Cycle:
        started = now - ago
        finished = None if took is None else started + timedelta(seconds=took)
        return Cycle.objects.create(started_at=started, finished_at=finished, **counts)

    return make


def started(text: str) -> list[str]:
    return re.findall(r'<th scope="row"><time datetime="([^"]+)"', text)


def test_a_cycle_says_what_it_did_and_leads_to_its_runs(page, cycle_of, scheduled, run_of, log_in, staff):
    cycle = cycle_of(
        ago=timedelta(seconds=10), high_due=60, high_picked=50, high_deferred=10, low_due=3, ok=2, failed=1, calls=9
    )
    mine = run_of(scheduled("5K"), cycle=cycle)
    run_of(scheduled("10K"))

    text = page()

    assert 'data-label="HIGH">60 / 50 / 10<' in text
    assert "2 updated, 1 failed" in text
    link = f"{reverse('runs')}?cycle={cycle.pk}"
    assert f'href="{link}"' in text
    runs = log_in(staff).get(link).content.decode()
    assert started(runs) == [mine.started_at.isoformat(timespec="seconds")]


def test_older_cycles_follow_without_gap_or_repeat_while_new_ones_come(page, cycle_of):
    for number in range(70):
        cycle_of(ago=timedelta(seconds=100 + 10 * (number // 2)))
    first = page()
    cycle_of(ago=timedelta(seconds=1))
    link = re.search(r'href="\?([^"]*)" rel="next"', first)[1].replace("&amp;", "&")
    second = page(link)

    assert len(started(first)) == 50
    assert len(started(second)) == 20
    assert started(first)[-1] >= started(second)[0]
    cycles = re.findall(r"cycle=(\d+)", first + second)
    assert len(set(cycles)) == 70


def test_cycles_before_a_time_are_found(page, cycle_of, now):
    cycle_of(ago=timedelta(hours=1))
    cycle_of(ago=timedelta(hours=3))

    assert started(page("to=2026-06-06T08:00")) == [(now - timedelta(hours=3)).isoformat(timespec="seconds")]
    assert "No cycle is older than this" in page("to=2020-01-01")


@pytest.mark.parametrize("query", ["to=never", "before=20260606", "before=x-1"])
def test_a_bad_value_is_answered_with_what_is_wrong(page, query):
    assert 'role="alert"' in page(query, status=400)


def test_without_a_cycle_the_page_says_what_to_start(page):
    text = page()

    assert "No cycle ran yet" in text
    assert "No cycle ran in the last 24 hours." in text


def test_a_day_of_good_cycles_is_good(page, cycle_of):
    for minutes in range(0, 60 * 24, 5):
        cycle_of(ago=timedelta(minutes=minutes), took=0.07)

    text = page()

    assert "Good:" in text
    assert "the slowest took 0.07 s" in text
    assert 'class="limit"' in text


def test_a_cycle_over_the_line_and_a_silence_are_both_seen(page, cycle_of):
    cycle_of(ago=timedelta(hours=5), took=61.0)
    cycle_of(ago=timedelta(hours=4), took=0.05)
    cycle_of(ago=timedelta(minutes=1), took=0.05)

    text = page()

    assert "Look here:" in text
    assert "the slowest took 61 s" in text
    assert "together none ran" in text
    assert 'class="took over"' in text
    assert 'class="silent"' in text


def test_what_was_before_the_first_cycle_is_no_silence(now: datetime):
    begins = chart_begins(now=now)
    buckets = [Bucket(place=place, cycles=60, slowest=0.05) for place in range(140, 144)]

    chart = cycle_chart(buckets, first=begins + timedelta(minutes=1400), now=now)

    assert chart.silent == ()
    assert not chart.is_bad


def test_a_longer_cycle_is_a_higher_bar_and_the_line_is_reached_at_60_s(now: datetime):
    buckets = [Bucket(place=place, cycles=1, slowest=took) for place, took in enumerate([0.05, 1.0, 60.0, 9999.0])]

    chart = cycle_chart(buckets, first=None, now=now)

    heights = [bar.height for bar in chart.bars]
    assert heights == sorted(set(heights))
    assert chart.bars[2].y == chart.limit_y
    assert max(heights) <= HEIGHT
    assert [bar.is_over for bar in chart.bars] == [False, False, True, True]


def test_the_page_asks_the_same_for_1_and_for_50_cycles(log_in, staff, cycle_of):
    client = log_in(staff)
    cycle_of(ago=timedelta(seconds=5))

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("cycles"))
        return len(captured)

    before = queries()
    for number in range(49):
        cycle_of(ago=timedelta(seconds=10 * number + 10))

    assert queries() == before
    assert before <= 10
