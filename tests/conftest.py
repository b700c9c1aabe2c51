"""What every test needs: PostgreSQL, a fixed moment, and no way out of this machine."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.fresh_database import remember_fresh_database


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> None:
    with django_db_blocker.unblock():
        remember_fresh_database()


@pytest.fixture
def now() -> datetime:
    """A Saturday morning: 2026-06-06 10:00 UTC is 06:00 in New York."""
    return datetime(2026, 6, 6, 10, 0, tzinfo=UTC)
