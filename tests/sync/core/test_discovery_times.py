from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core.discovery_times import discovery_due, last_look

DENVER = "America/Denver"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_key_that_was_never_looked_at_is_due_at_once():
    assert discovery_due(discovered_at=None, timezone=DENVER, now=utc("2026-06-06T09:00"))


def test_looks_are_at_6_and_18_of_the_partners_own_clock():
    # Denver is six hours behind in June: 12:00 and 00:00 UTC.
    assert last_look(timezone=DENVER, now=utc("2026-06-06T11:59:59")) == utc("2026-06-06T00:00")
    assert last_look(timezone=DENVER, now=utc("2026-06-06T12:00")) == utc("2026-06-06T12:00")
    assert last_look(timezone=DENVER, now=utc("2026-06-06T23:59:59")) == utc("2026-06-06T12:00")
    assert last_look(timezone=DENVER, now=utc("2026-06-07T00:00")) == utc("2026-06-07T00:00")


def test_a_look_that_was_made_is_not_owed_again():
    now = utc("2026-06-06T12:00")
    assert discovery_due(discovered_at=now - timedelta(seconds=1), timezone=DENVER, now=now)
    assert not discovery_due(discovered_at=now, timezone=DENVER, now=now + timedelta(hours=11))


def test_after_a_week_of_downtime_one_look_is_owed_not_fourteen():
    now = utc("2026-06-06T15:00")
    assert discovery_due(discovered_at=now - timedelta(days=7), timezone=DENVER, now=now)
    assert not discovery_due(discovered_at=now, timezone=DENVER, now=now + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("now", "look"),
    [
        # The clocks go forward on 2026-03-08, so that day's 06:00 is an hour earlier in UTC than the day before.
        ("2026-03-08T11:59", "2026-03-08T01:00"),
        ("2026-03-08T12:00", "2026-03-08T12:00"),
        # And back on 2026-11-01.
        ("2026-11-01T12:59", "2026-11-01T00:00"),
        ("2026-11-01T13:00", "2026-11-01T13:00"),
    ],
)
def test_on_the_days_when_the_clocks_change_it_is_still_6_in_the_morning(now, look):
    assert last_look(timezone=DENVER, now=utc(now)) == utc(look)


def test_a_zone_that_nobody_knows_is_read_as_the_providers_own():
    now = utc("2026-06-06T12:00")
    assert last_look(timezone="Mars/Olympus", now=now) == last_look(timezone="America/New_York", now=now)


@given(
    now=st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    zone=st.sampled_from([DENVER, "America/Phoenix", "Pacific/Honolulu", "Pacific/Apia", "Australia/Lord_Howe", "UTC"]),
)
def test_the_last_look_is_never_more_than_thirteen_hours_ago_and_never_ahead(now, zone):
    look = last_look(timezone=zone, now=now)
    assert timedelta(0) <= now - look <= timedelta(hours=13)
    assert last_look(timezone=zone, now=look) == look
