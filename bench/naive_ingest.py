"""What one writes first, doing the same: the same columns, a hash, a change row for who is new or differs."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from races.models import Event, Participant, ParticipantChange

EASTERN = ZoneInfo("America/New_York")


def naive_page(event: Event, body: bytes, *, now: datetime) -> None:
    with transaction.atomic():
        for wrapper in json.loads(body):
            for row in wrapper["participants"]:
                _store(event, row, now=now)


def _store(event: Event, row: dict[str, Any], *, now: datetime) -> None:
    raw = json.dumps(row, sort_keys=True)
    digest = hashlib.sha256(raw.encode()).digest()[:16]
    old = Participant.objects.filter(event=event, registration_id=row["registration_id"]).first()
    participant, added = Participant.objects.update_or_create(
        event=event,
        registration_id=row["registration_id"],
        defaults={**_columns(row), "raw": raw, "raw_hash": digest, "content_hash": digest},
    )
    if added:
        ParticipantChange.objects.create(participant=participant, kind="added", changes={}, at=now, sync_run_id=1)
    elif old is not None and bytes(old.content_hash) != digest:
        changes = {name: [str(getattr(old, name)), str(getattr(participant, name))] for name in _columns(row)}
        changes = {name: values for name, values in changes.items() if values[0] != values[1]}
        ParticipantChange.objects.create(
            participant=participant, kind="changed", changes=changes, at=now, sync_run_id=1
        )


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    user = row["user"]
    address = user.get("address") or {}
    registered = datetime.strptime(row["registration_date"], "%m/%d/%Y %H:%M").replace(tzinfo=EASTERN)
    return {
        **{name: (user.get(name) or "").strip() for name in _OF_THE_USER},
        **{name: (address.get(name) or "").strip() for name in _OF_THE_ADDRESS},
        "user_id": user["user_id"],
        "dob": datetime.strptime(user["dob"], "%Y-%m-%d").date() if user["dob"] else None,  # noqa: DTZ007 - a birthday
        "age": row["age"],
        "bib": "" if row["bib_num"] is None else str(row["bib_num"]),
        "chip": row["chip_num"] or "",
        "team_id": row["team_id"],
        "team_name": row["team_name"] or "",
        "registered_at": registered.astimezone(UTC),
        "modified_at": datetime.fromtimestamp(row["last_modified"], UTC),
        "amount_paid": Decimal(row["amount_paid"].replace("$", "").replace(",", "")),
        "imported": row["imported"] == "T",
        "is_anonymous": user["is_anonymous"] == "T",
        "answers": [
            {"question_id": one["question_id"], "question": one["question_text"].strip(), "response": one["response"]}
            for one in row["question_responses"]
        ],
    }


_OF_THE_USER = ("first_name", "middle_name", "last_name", "email", "phone", "gender")
_OF_THE_ADDRESS = ("street", "city", "state", "zipcode", "country_code")
