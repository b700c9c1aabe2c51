"""The columns of a participant that come from the provider: their types, their hash, what differs, what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b

import msgspec

from partners.documents import ParticipantDocument, RejectedRow
from races.storable import BIGINT, SMALLINT, text_problem, texts_in

# What people care about: a difference in one of these is a change.
CONTENT: dict[str, str] = {
    "user_id": "int8",
    "first_name": "text",
    "middle_name": "text",
    "last_name": "text",
    "email": "text",
    "phone": "text",
    "dob": "date",
    "gender": "text",
    "age": "int2",
    "street": "text",
    "city": "text",
    "state": "text",
    "zipcode": "text",
    "country_code": "text",
    "bib": "text",
    "chip": "text",
    "team_id": "int8",
    "team_name": "text",
    "registered_at": "timestamptz",
    "amount_paid": "numeric",
    "imported": "bool",
    "is_anonymous": "bool",
    "answers": "jsonb",
}
# Stored beside it: the provider touches `modified_at` also when nothing else differs.
STORED: dict[str, str] = {
    "event_id": "int8",
    "registration_id": "int8",
    **CONTENT,
    "modified_at": "timestamptz",
    "raw": "text",
    "raw_hash": "bytea",
    "content_hash": "bytea",
}

# What retention takes away when an event is long over, and what stands there then (docs/operating.md). The rest is what
# results and counts need.
BLANK: dict[str, object] = {
    "email": "",
    "phone": "",
    "dob": None,
    "street": "",
    "zipcode": "",
    "amount_paid": None,
    "answers": [],
}

LONGEST_TEXT = 2_000
LONGEST_ANSWER = 100_000
# A bib is in an index and on a person's chest; a gender is one letter.
LONGEST = {"bib": 100, "gender": 1}
_TEXTS = tuple(name for name, kind in CONTENT.items() if kind == "text")
_NUMBERS = {"user_id": BIGINT, "team_id": BIGINT, "age": SMALLINT}
_MOMENTS = ("registered_at", "modified_at")
_CENT = Decimal("0.01")
_MOST_MONEY = Decimal(10) ** 10


def content_of(document: ParticipantDocument) -> dict[str, object]:
    """The document's columns as PostgreSQL keeps them. Raises RejectedRow when it would refuse one."""
    content: dict[str, object] = {name: getattr(document, name) for name in CONTENT}
    content["answers"] = list(document.answers)
    content["amount_paid"] = _money(document.amount_paid)
    _refuse_texts(document)
    for name, allowed in _NUMBERS.items():
        number = getattr(document, name)
        if number is not None and number not in allowed:
            raise RejectedRow(f"{name} is out of range.")
    for name in _MOMENTS:
        moment = getattr(document, name)
        if moment is not None and moment.tzinfo is None:
            raise RejectedRow(f"{name} has no time zone.")
    return content


def _refuse_texts(document: ParticipantDocument) -> None:
    texts = {name: getattr(document, name) for name in _TEXTS}
    answers = list(texts_in(document.answers))
    # All at once first: looking at each text by itself costs as much as the rest of the row.
    fine = not text_problem("".join([*texts.values(), *answers]), longest=LONGEST_TEXT)
    if fine and all(len(texts[name]) <= longest for name, longest in LONGEST.items()):
        return
    for name, text in texts.items():
        if problem := text_problem(text, longest=LONGEST.get(name, LONGEST_TEXT)):
            raise RejectedRow(f"{name} {problem}.")
    for text in answers:
        if problem := text_problem(text, longest=LONGEST_ANSWER):
            raise RejectedRow(f"an answer {problem}.")


def _money(amount: Decimal | None) -> Decimal | None:
    if amount is None:
        return None
    if not amount.is_finite() or abs(amount) >= _MOST_MONEY:
        raise RejectedRow("amount_paid is out of range.")
    return amount.quantize(_CENT)


def raw_hash_of(raw: bytes) -> bytes:
    return blake2b(raw, digest_size=16).digest()


def content_hash_of(content: Mapping[str, object]) -> bytes:
    return blake2b(msgspec.json.encode([content[name] for name in CONTENT]), digest_size=16).digest()


def without_contact(columns: Mapping[str, object]) -> dict[str, object]:
    """The columns as a blanked event keeps them. The empty hashes say so: they would tell what they were made of."""
    return {**columns, **BLANK, "raw": "", "raw_hash": b"", "content_hash": b""}


def raw_text_of(raw: bytes) -> str:
    """The provider's bytes as text. Raises RejectedRow when they are none."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise RejectedRow("The row is not valid UTF-8.") from None
    if "\x00" in text:
        raise RejectedRow("The row contains a NUL character.")
    return text


def differences(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, list[object]]:
    """{column: [old, new]} of the columns that differ, as plain JSON values."""
    return {name: [plain(old[name]), plain(new[name])] for name in CONTENT if old[name] != new[name]}


def plain(value: object) -> object:
    """Dates and times as ISO text (UTC), money as text: what a JSON column and a reader can hold."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
