from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sync.core.policy import DEFAULT_POLICY, Tier
from sync.core.status import EventState, Word, status_of

NOW = datetime(2026, 6, 6, 10, 0, tzinfo=UTC)
FRESH = EventState(
    tier=Tier.HIGH,
    due_at=NOW + timedelta(seconds=30),
    checked_at=NOW - timedelta(seconds=30),
    is_running=False,
    is_picked=False,
    failures=0,
    blocked_reason="",
    over=False,
)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, Word.ON_TIME),
        ({"is_running": True}, Word.SYNCING),
        ({"due_at": NOW - timedelta(seconds=5)}, Word.QUEUED),
        ({"due_at": NOW - timedelta(seconds=61)}, Word.LATE),
        ({"due_at": NOW - timedelta(seconds=121)}, Word.OVERDUE),
        ({"blocked_reason": "the key is refused", "is_running": True}, Word.NEEDS_ACTION),
        ({"due_at": None, "tier": None}, Word.NOT_SCHEDULED),
        ({"due_at": None, "tier": None, "over": True}, Word.FINISHED),
        ({"failures": 4, "checked_at": NOW - timedelta(minutes=9)}, Word.LATE),
        ({"tier": Tier.LOW, "due_at": NOW - timedelta(minutes=59)}, Word.QUEUED),
    ],
)
def test_each_state_has_one_word(changes, word):
    assert status_of(replace(FRESH, **changes), now=NOW, policy=DEFAULT_POLICY).word is word


def test_the_word_comes_with_its_reason():
    status = status_of(replace(FRESH, failures=2), now=NOW, policy=DEFAULT_POLICY)
    assert status.reason == "2 tries in a row failed"
