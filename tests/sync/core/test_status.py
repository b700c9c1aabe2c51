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
        ({"due_at": NOW - timedelta(seconds=61), "is_running": True}, Word.LATE),
        ({"due_at": NOW - timedelta(seconds=61), "is_running": True, "checked_at": None}, Word.SYNCING),
        ({"due_at": None, "tier": None, "over": True, "is_running": True}, Word.SYNCING),
        ({"off_reason": "switched off", "blocked_reason": "the key is refused"}, Word.NOT_SCHEDULED),
        ({"tier": Tier.LOW, "due_at": NOW - timedelta(minutes=59)}, Word.QUEUED),
    ],
)
def test_each_state_has_one_word(changes, word):
    assert status_of(replace(FRESH, **changes), now=NOW, policy=DEFAULT_POLICY).word is word


@pytest.mark.parametrize(
    ("age", "word"),
    [
        (timedelta(seconds=60), Word.ON_TIME),
        (timedelta(seconds=61), Word.LATE),
        (timedelta(seconds=120), Word.LATE),
        (timedelta(seconds=121), Word.OVERDUE),
    ],
)
@pytest.mark.parametrize("is_running", [False, True])
def test_while_tries_fail_the_age_of_the_list_decides_wherever_the_next_try_lies(age, word, is_running):
    state = replace(FRESH, failures=1, checked_at=NOW - age, due_at=NOW + timedelta(minutes=4), is_running=is_running)

    expected = Word.SYNCING if is_running and word is Word.ON_TIME else word
    assert status_of(state, now=NOW, policy=DEFAULT_POLICY).word is expected


@pytest.mark.parametrize(("failures", "word"), [(0, Word.ON_TIME), (1, Word.LATE), (2, Word.OVERDUE)])
def test_a_list_that_was_never_loaded_is_late_with_the_first_try_that_fails(failures, word):
    state = replace(FRESH, failures=failures, checked_at=None)

    assert status_of(state, now=NOW, policy=DEFAULT_POLICY).word is word


def test_an_old_list_without_failures_is_on_time_until_its_check_is_late():
    state = replace(FRESH, checked_at=NOW - timedelta(minutes=3))

    assert status_of(state, now=NOW, policy=DEFAULT_POLICY).word is Word.ON_TIME


def test_the_word_comes_with_its_reason():
    status = status_of(replace(FRESH, failures=2), now=NOW, policy=DEFAULT_POLICY)
    assert status.reason == "2 tries in a row failed"
