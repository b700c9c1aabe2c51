"""What a change says to people: who moved reads as one person, who left with reason and time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from races.change_words import LABELS, Move, change_text
from races.participant_columns import CONTENT

NEW_YORK = ZoneInfo("America/New_York")


@dataclass
class A:
    kind: str
    changes: dict[str, Any] = field(default_factory=dict)
    at: datetime = datetime(2026, 6, 6, 10, 12, tzinfo=UTC)


MOVED = {"removed_reason": ["", "transferred"], "successor_registration_id": [None, 42], "event": ["5K", "10K"]}


@pytest.mark.parametrize(
    ("bibs", "words"),
    [
        ({"bib": ["1207", ""]}, "Moved: 5K → 10K, bib 1207 not carried over"),
        ({"bib": ["1207", "1207"]}, "Moved: 5K → 10K, bib 1207 kept"),
        ({"bib": ["1207", "2001"]}, "Moved: 5K → 10K, bib 1207 → 2001"),
        ({"bib": ["", "2001"]}, "Moved: 5K → 10K, bib 2001"),
        ({}, "Moved: 5K → 10K"),
    ],
)
def test_a_transfer_reads_as_one_person_moving(bibs, words):
    assert change_text(A("transferred", MOVED | bibs)) == words


def test_a_transfer_whose_successor_was_not_there_yet_names_its_number_until_it_is():
    change = A("transferred", {"removed_reason": ["", "transferred"], "successor_registration_id": [None, 42]})
    assert change_text(change) == "Moved to another event as registration 42"
    move = Move(from_event="5K", to_event="10K", old_bib="1207", new_bib="")
    assert change_text(change, move=move) == "Moved: 5K → 10K, bib 1207 not carried over"


def test_who_arrives_by_a_transfer_is_no_stranger():
    move = Move(from_event="5K", to_event="10K", old_bib="1207", new_bib="")
    assert change_text(A("added"), move=move) == "Moved here: 5K → 10K, bib 1207 not carried over"
    assert change_text(A("added")) == "Registered"


def test_a_registration_that_is_passed_on_within_an_event_does_not_read_as_a_move_to_itself():
    change = A("transferred", MOVED | {"event": ["5K", "5K"], "bib": ["7", ""]})
    assert change_text(change) == "Moved: 5K, under a new registration, bib 7 not carried over"


def test_who_left_is_told_with_the_provider_s_time_in_the_zone_of_the_race():
    left = {"removed_reason": ["", "deferred"], "removed_at": [None, "2026-06-06T10:05:00+00:00"]}
    assert change_text(A("removed", left), zone=NEW_YORK) == "Left at 06:05 EDT: deferred to a later edition"
    left["removed_at"] = [None, "2026-06-05T22:05:00+00:00"]
    assert change_text(A("removed", left), zone=NEW_YORK) == "Left on Fri Jun 5, 18:05 EDT: deferred to a later edition"


def test_who_was_only_missing_left_at_a_time_that_nobody_knows():
    left = {"removed_reason": ["", "missing"], "removed_at": [None, "2026-06-06T10:05:00+00:00"]}
    assert change_text(A("removed", left)) == "Left: no longer listed"


def test_a_reason_that_became_known_later_says_so():
    change = A("removed", {"removed_reason": ["missing", "cleared"]})
    assert change_text(change) == "Left, now with the reason: registration voided"


def test_an_unknown_reason_is_said_in_the_provider_s_word():
    assert change_text(A("removed", {"removed_reason": ["", "disqualified"]})) == "Left: disqualified"


def test_who_is_back_is_told_with_what_it_was_and_what_is_new():
    change = A("restored", {"removed_reason": ["removed", ""], "bib": ["12", "14"]})
    assert change_text(change) == "Back on the list (was: removed by the race); bib 12 → 14"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bib": ["", "12A"]}, "Bib 12A"),
        ({"bib": ["12A", ""]}, "Bib 12A taken away"),
        ({"last_name": ["Marsh", "March"], "bib": ["1207", "1300"]}, "Bib 1207 → 1300; last name Marsh → March"),
        ({"age": [None, 34]}, "Age 34"),
        ({"age": [0, 34]}, "Age 0 → 34"),
        ({"is_anonymous": [False, True]}, "Wants to be anonymous"),
        ({"amount_paid": ["45.00", "0.00"]}, "Amount paid 45.00 → 0.00"),
        ({"answers": [[], [{"question_id": 1}]]}, "Answers changed"),
        ({"shoe_size": ["9", "10"]}, "Shoe size 9 → 10"),
    ],
)
def test_an_edit_says_old_and_new(changes, words):
    assert change_text(A("changed", changes)) == words


def test_contact_data_is_said_to_have_changed_but_not_what_it_is():
    change = A("changed", {"phone": ["555-0100", "555-0101"], "email": ["a@example.test", "b@example.test"]})
    assert change_text(change) == "Email changed; phone changed"


def test_values_that_were_blanked_do_not_read_as_a_change_to_nothing():
    assert change_text(A("changed", {"last_name": ["", ""]})) == "Last name changed"


def test_every_column_that_can_change_has_a_name():
    assert set(CONTENT) - {"imported", "is_anonymous"} == set(LABELS)
