"""Which of two things that the provider said is newer, also when it says impossible times (row 15)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from races.version_order import believable, brings_back, is_older

IMPOSSIBLE = [datetime.fromtimestamp(-5, UTC), datetime.fromtimestamp(0, UTC)]


@pytest.fixture
def stored(now):
    return now - timedelta(hours=1)


def test_only_what_was_strictly_before_is_older(now, stored):
    assert is_older(stored - timedelta(seconds=1), stored=stored, now=now)
    assert not is_older(stored, stored=stored, now=now)
    assert not is_older(None, stored=stored, now=now)


@pytest.mark.parametrize("said", IMPOSSIBLE)
def test_a_time_from_before_all_registrations_says_nothing(now, stored, said):
    assert believable(said, now=now) is None
    assert not is_older(said, stored=stored, now=now)
    assert not is_older(stored, stored=said, now=now)
    assert brings_back(said, removed_at=stored, reason="removed", now=now) == brings_back(
        None, removed_at=stored, reason="removed", now=now
    )


def test_a_time_from_the_future_makes_nothing_after_it_look_old(now, stored):
    assert not is_older(stored, stored=now + timedelta(days=1), now=now)
