"""A key's calls of the last day on its partner's page: the drawing, and the same numbers as text."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from partners.models import ApiUsage
from sync.web.partner_usage import keys_usage
from sync.web.usage_chart import HEIGHT, UsageStep, usage_chart
from tests.factories import CredentialFactory, TimingPartnerFactory

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
def key(db, heartbeat):
    return CredentialFactory(partner=TimingPartnerFactory(slug="ridgeline"))


@pytest.fixture
def page(log_in, staff, key):
    def shown() -> str:
        response = log_in(staff).get(reverse("partner_page", args=["ridgeline"]))
        return " ".join(response.content.decode().split())

    return shown


@pytest.fixture
def called(key, now):
    def make(calls: int, *, ago: int, throttled: int = 0, by=None) -> None:
        minute = now - timedelta(minutes=ago)
        ApiUsage.objects.create(credential=by or key, minute=minute, calls=calls, throttled=throttled)

    return make


def test_the_day_is_a_drawing_a_sentence_and_a_table(page, called):
    called(420, ago=5)
    called(80, ago=30)
    called(300, ago=600, throttled=2)
    shown = page()

    assert "500 of 1,000" in shown
    sentence = (
        "800 calls in the last 24 hours, at most 500 within an hour (about 05:50 EDT), 50 % of the 1,000 allowed."
    )
    assert re.search(rf"<title id=[^>]+>Key main: {re.escape(sentence)} 2 calls were throttled\.</title>", shown)
    assert f"<figcaption>{sentence}" in shown
    assert "<title>Fri Jun 5, 20:00 EDT: 2 throttled</title>" in shown
    hour = (
        r'>Fri Jun 5, 20:00 EDT</time></th><td class="number">300</td><td class="number">300</td><td class="number">2<'
    )
    assert re.search(hour, shown)


def test_a_key_without_a_call_says_so_instead_of_an_empty_drawing(page, called):
    called(9, ago=60 * 26)
    shown = page()

    assert "No call in the last 24 hours." in shown
    assert "usage-chart" not in shown


def test_the_rolling_hour_is_reckoned_by_the_minute_and_of_each_key_alone(key, called, now):
    other = CredentialFactory(partner=key.partner, label="second")
    for ago, calls in [(132, 50), (125, 400), (72, 500), (71, 1)]:
        called(calls, ago=ago)
    called(7, ago=71, by=other)
    called(5, ago=71, by=CredentialFactory())

    found = keys_usage(partner_id=key.partner_id, now=now)

    # From 07:55 to 08:49 it is less than an hour, from 07:48 to 08:48 it is one.
    assert [(step.calls, step.most) for step in found[key.pk].steps] == [(50, 50), (400, 450), (501, 901)]
    assert [step.most for step in found[other.pk].steps] == [7]
    assert set(found) == {key.pk, other.pk}


def test_calls_before_the_day_count_for_its_first_hour_only(key, called, now):
    called(100, ago=60 * 24 + 5)
    called(10, ago=60 * 24 - 15)

    drawn = usage_chart(
        keys_usage(partner_id=key.partner_id, now=now)[key.pk].steps, limit=1000, zone=NEW_YORK, now=now
    )

    assert drawn is not None
    assert drawn.summary.startswith("10 calls in the last 24 hours, at most 110 within an hour")
    assert sum(row.calls for row in drawn.rows) == 10


def drawn(steps, now, *, limit: int = 1000):
    found = usage_chart(
        [UsageStep(place=place, calls=calls, throttled=0, most=most) for place, calls, most in steps],
        limit=limit,
        zone=NEW_YORK,
        now=now,
    )
    assert found is not None
    return found


def test_a_spent_hour_meets_the_line_of_the_limit_and_all_stays_inside(now):
    found = drawn([(10, 200, 1000), (143, 1, 1)], now)
    points = [float(y) for y in re.findall(r" ([\d.]+)", found.line)]

    assert points[10] == found.limit_y
    assert all(0 <= y <= HEIGHT for y in points)
    assert len(re.findall("M", found.bars)) == 2
    assert "100 % of the 1,000 allowed" in found.summary
    # More than the limit, counted in clock minutes: the scale grows with it.
    assert drawn([(10, 200, 1300)], now).limit_y > found.limit_y


def test_the_line_falls_as_calls_leave_the_hour(now):
    found = drawn([(10, 60, 60), (12, 40, 100)], now)
    points = [float(y) for y in re.findall(r" ([\d.]+)", found.line)]

    assert points[11] == points[10]
    assert points[13] == points[12]
    assert points[12] < points[16] < points[18] == HEIGHT


def test_the_hours_are_those_of_the_partners_zone(now):
    assert [mark.name for mark in drawn([(3, 1, 1)], now).hours] == [
        "08:00",
        "12:00",
        "16:00",
        "20:00",
        "00:00",
        "04:00",
    ]


def test_the_day_of_a_clock_change_has_each_hour_once():
    found = drawn([(3, 1, 1)], datetime(2026, 11, 1, 12, 0, tzinfo=ZoneInfo("UTC")))
    texts = [row.at for row in found.rows]

    assert len(texts) == len(set(texts))
    assert any("01:00 EDT" in text for text in texts)
    assert any("01:00 EST" in text for text in texts)
