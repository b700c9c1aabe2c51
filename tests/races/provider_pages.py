"""Rows of the provider's pages, as its answers have them (contract §3.4 and §3.6)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from partners.documents import ParticipantRow, RemovedRow
from races.models import Event

SECOND = 1_780_000_000
"""When everything in these pages was last changed unless a test says otherwise."""

_OF_THE_USER = {"user_id", "first_name", "last_name", "email", "dob", "gender", "phone"}


def listed(event: Event, registration_id: int, *, modified: int | None = SECOND, **fields: Any) -> ParticipantRow:
    """One row of a participants page. `fields` override what it says, about the person or the registration."""
    user = {
        "user_id": 41_000_000 + registration_id,
        "first_name": "Zoë",
        "middle_name": None,
        "last_name": f"O’Malley {registration_id}",
        "email": "zoe@example.test",
        "address": {"street": "22 Alder Ct", "city": "Fort Larkin", "state": "CO", "zipcode": "80599"},
        "dob": "1988-02-29",
        "gender": "F",
        "phone": "303-555-0142",
    }
    row = {
        "registration_id": registration_id,
        "event_id": event.provider_event_id,
        "bib_num": None,
        "chip_num": None,
        "age": 38,
        "registration_date": "10/3/2025 20:15",
        "team_id": None,
        "team_name": None,
        "last_modified": modified,
        "imported": "F",
        "race_fee": "$85.00",
        "amount_paid": "$88.80",
        "question_responses": [{"question_id": 55101, "question_text": "Emergency contact", "response": "Ravi"}],
    }
    for name, value in fields.items():
        (user if name in _OF_THE_USER else row)[name] = value
    return ParticipantRow(
        registration_id=registration_id,
        event_id=event.provider_event_id,
        last_modified=modified,
        raw=json.dumps({"user": user, **row}, ensure_ascii=False).encode(),
    )


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def left(
    registration_id: int, *, at: int | None = SECOND, reason: str = "removed", successor: int | None = None
) -> RemovedRow:
    """One row of a removed-participants page."""
    return RemovedRow(
        registration_id=registration_id,
        event_id=None,
        reason=reason,
        successor_registration_id=successor,
        removed_at=None if at is None else moment(at),
    )
