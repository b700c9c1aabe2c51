"""The forecast of the keys, from the schedule in the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from partners.models import Credential
from sync.core.forecast import Colour
from sync.services.event_schedule import reschedule
from sync.services.forecast import outlook_of, outlooks
from tests.factories import CredentialFactory, EventFactory, RaceFactory, TimingPartnerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def key():
    return CredentialFactory(partner=TimingPartnerFactory(name="Ridgeline", timezone="America/Denver"))


def scheduled(key, now, *, races: int = 1, starts_at: datetime, **event):
    """So many races of the key with one event each, placed in the schedule as discovery does."""
    events = [EventFactory(race=RaceFactory(credential=key), starts_at=starts_at, **event) for _ in range(races)]
    reschedule(events=events, now=now)
    return events


def test_the_races_of_a_key_are_counted_in_its_partners_zone(key, now):
    scheduled(key, now, races=20, starts_at=now + timedelta(hours=12))

    found = outlook_of(key, now=now)

    assert found.events == 20
    assert found.forecast.colour is Colour.RED
    assert found.sentences == (
        "Saturday 12:00–17:00 MDT: 1,440 calls/h wanted (20 races), 1,000 allowed; "
        "race-day races will sync about every 83 s; nothing is lost, it arrives later.",
    )
    assert found.busiest == "Saturday 12:00 MDT, 1,440 calls wanted"


def test_what_is_over_switched_off_or_gone_wants_nothing(key, now):
    scheduled(key, now, starts_at=now - timedelta(days=2))
    (off,) = scheduled(key, now, starts_at=now + timedelta(hours=5))
    (gone,) = scheduled(key, now, starts_at=now + timedelta(hours=5))
    off.race.sync_enabled, gone.gone_at = False, now
    reschedule(events=[off, gone], now=now)

    found = outlook_of(key, now=now)

    assert found.events == 0
    assert found.busiest == "none in the next 14 days: nothing is scheduled"


def test_events_without_a_usable_start_are_in_it(key, now):
    scheduled(key, now, starts_at=None)
    midnight = datetime(2026, 6, 7, 4, 0, tzinfo=UTC)
    scheduled(key, now, starts_at=midnight, start_is_placeholder=True)
    scheduled(key, now, starts_at=datetime(9999, 1, 1, tzinfo=UTC))

    found = outlook_of(key, now=now).forecast

    assert max(each.demand.high for each in found.intervals) == 1
    assert found.intervals[-1].demand.low == 2


def test_each_key_has_its_own_limit_and_races(key, now):
    small = CredentialFactory(hourly_limit=100)
    scheduled(small, now, races=3, starts_at=now + timedelta(hours=12))
    scheduled(key, now, races=3, starts_at=now + timedelta(hours=12))

    found = {outlook.credential: outlook for outlook in outlooks(now=now)}

    assert found[small].forecast.colour is Colour.RED
    assert found[key].forecast.colour is Colour.GREEN
    assert [outlook.credential for outlook in outlooks(now=now, partner=key.partner)] == [key]


def test_a_refused_key_is_forecast_all_the_same_and_says_that_it_makes_no_call(key, now):
    scheduled(key, now, starts_at=now + timedelta(hours=12))
    Credential.objects.update(status=Credential.Status.REFUSED, status_detail="invalid secret")
    key.refresh_from_db()

    found = outlook_of(key, now=now)

    assert "refuses the key" in found.blocked
    assert found.forecast.busiest.wanted > 0


def test_the_number_of_queries_does_not_depend_on_the_number_of_keys(key, now, django_assert_num_queries):
    scheduled(key, now, starts_at=now + timedelta(hours=12))
    with django_assert_num_queries(2):
        outlooks(now=now)
    for _ in range(9):
        scheduled(CredentialFactory(), now, races=2, starts_at=now + timedelta(hours=12))
    with django_assert_num_queries(2):
        assert len(outlooks(now=now)) == 10
