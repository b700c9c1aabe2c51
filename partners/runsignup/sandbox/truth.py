"""What is and was true of an event, for a checker that compares it with a mirror."""

from __future__ import annotations

from typing import Any

from partners.runsignup.sandbox.model import REMOVED, Event, Registration, Version
from partners.runsignup.sandbox.rows import EVERYTHING, removed_row, shown_row


def of_event(event: Event) -> list[dict[str, Any]]:
    """[{registration_id, state, at, reason, successor, row, removed_row?}] in the order of the ids.

    `row` is the row of /participants with every optional block (of a removed one, as it last was); removed ones also
    carry the row of /removed-participants.
    """
    return [
        {"registration_id": registration.registration_id} | _shown(registration, registration.current)
        for registration in event.registrations
    ]


def history_of_event(event: Event) -> list[dict[str, Any]]:
    """[{registration_id, versions: [{at, state, row, reason, successor}]}] in the order of the ids.

    A version holds from its `at` (Unix seconds) to that of the next.
    """
    return [
        {
            "registration_id": registration.registration_id,
            "versions": [_shown(registration, version) for version in registration.versions],
        }
        for registration in event.registrations
    ]


def _shown(registration: Registration, version: Version) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "at": version.at,
        "state": version.state,
        "reason": version.reason,
        "successor": version.successor,
        "row": shown_row(version.row, registration.registration_id, EVERYTHING),
    }
    if version.state == REMOVED:
        shown["removed_row"] = removed_row(registration, version, EVERYTHING)
    return shown
