"""Backfills on a partner's page: how far, how fast, until when, and what to do with one that stopped."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from django.urls import reverse

from sync.models import Backfill, BackfillStep
from tests.factories import CredentialFactory, RaceFactory, TimingPartnerFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture
def key(db):
    return CredentialFactory(partner=TimingPartnerFactory(slug="ridgeline"))


@pytest.fixture
def shown(log_in, staff, key):
    """The rows of the table, the newest backfill first."""

    def rows() -> list[str]:
        page = log_in(staff).get(reverse("partner_page", args=["ridgeline"])).content.decode()
        section = " ".join(page.split()).split('id="backfills">')[1].split("</section>")[0]
        return re.findall(r"<tr data-kind=.*?</tr>", section)

    return rows


@pytest.fixture
def backfill_of(key, now):
    """A backfill begun an hour ago; `done` steps were begun every five minutes, the last one five minutes ago."""

    def make(*, done: int = 0, waiting: int = 0, **fields) -> Backfill:
        fields = {"partner": key.partner, "started_at": now - timedelta(hours=1), **fields}
        backfill = Backfill.objects.create(**fields)
        for place in range(done + waiting):
            begun = now - timedelta(minutes=5 * (done - place)) if place < done else None
            BackfillStep.objects.create(
                backfill=backfill,
                race=RaceFactory(credential=key),
                status="done" if place < done else "waiting",
                started_at=begun,
                pages=2 if begun else 0,
                rows=1100 if begun else 0,
            )
        return backfill

    return make


def test_a_running_one_shows_how_far_how_fast_and_until_when(shown, backfill_of, now):
    backfill_of(done=6, waiting=12, lease_until=now + timedelta(seconds=50))
    (row,) = shown()

    assert "Running" in row
    assert "6 of 18" in row
    assert 'value="33"' in row
    assert 'data-label="Pages">12<' in row
    assert 'data-label="People">6,600<' in row
    # Six in half an hour: the other twelve take an hour.
    assert "12 races an hour" in row
    assert re.search(r"about <time[^>]*>07:00 EDT</time>", row)


def test_after_an_interruption_the_pace_is_that_of_the_last_hour(shown, backfill_of, now):
    backfill = backfill_of(
        done=6, waiting=12, lease_until=now + timedelta(seconds=50), started_at=now - timedelta(days=3)
    )
    old = RaceFactory(credential=CredentialFactory(partner=backfill.partner, label="old"))
    BackfillStep.objects.create(backfill=backfill, race=old, status="done", started_at=now - timedelta(days=3))

    assert "12 races an hour" in shown()[0]


def test_one_that_has_just_begun_gives_no_end(shown, backfill_of, now):
    backfill_of(done=2, waiting=12, lease_until=now + timedelta(seconds=50))

    assert "too early to tell" in shown()[0]


def test_one_without_a_new_race_for_long_says_why_that_may_be(shown, backfill_of, now):
    backfill_of(waiting=2, lease_until=now + timedelta(seconds=50))

    assert "No new race for half an hour" in shown()[0]


def test_a_killed_one_says_how_it_goes_on(shown, backfill_of, now):
    backfill_of(done=1, waiting=2, lease_until=now - timedelta(minutes=4), since=date(2024, 1, 1))
    (row,) = shown()

    assert "Stopped without a word" in row
    assert "<code>manage.py backfill --partner ridgeline --since 2024-01-01</code>" in row
    assert "an hour</span>" not in row


def test_an_interrupted_one_of_a_race_goes_on_with_that_race(shown, backfill_of, key):
    race = RaceFactory(credential=key, provider_race_id=974559)
    backfill = backfill_of(partner=None, race=race, status="interrupted")
    BackfillStep.objects.create(backfill=backfill, race=race)
    (row,) = shown()

    assert "Interrupted" in row
    assert f"Race {race.name}" in row
    assert "<code>manage.py backfill --partner ridgeline --race 974559</code>" in row


def test_races_that_could_not_be_loaded_are_named_with_the_reason(shown, backfill_of, key):
    backfill = backfill_of(done=1, status="interrupted")
    for name in ("Alpha Run", "Beta Run", "Gamma Run", "Delta Run"):
        race = RaceFactory(credential=key, name=name)
        BackfillStep.objects.create(backfill=backfill, race=race, status="failed", error_text="No access.")
    (row,) = shown()

    assert "Ended with problems" in row
    assert "1 of 5, 4 failed" in row
    assert "Alpha Run: No access." in row
    assert "Delta Run" not in row
    assert "And 1 more races with a problem." in row


def test_the_newest_come_first_and_of_those_for_everybody_only_our_races_count(shown, backfill_of, now):
    backfill_of(done=2, status="done", finished_at=now - timedelta(minutes=5))
    everybody = backfill_of(done=3, partner=None, status="done", finished_at=now)
    BackfillStep.objects.create(backfill=everybody, race=RaceFactory(), status="done", pages=50, rows=9999)
    other = TimingPartnerFactory()
    Backfill.objects.create(partner=other, started_at=now)
    Backfill.objects.create(started_at=now)
    rows = shown()

    assert ["All partners" in row for row in rows] == [True, False]
    assert "3 of 3" in rows[0]
    assert "9,999" not in rows[0]
    assert re.search(r"<time[^>]*>05:55 EDT</time>", rows[1])
