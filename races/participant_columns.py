"""The columns of a participant that come from the provider: their types, their hash, what differs, what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Raw, Struct
from xxhash import xxh3_128_digest

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
BESIDE: dict[str, str] = {"modified_at": "timestamptz", "raw": "text", "raw_hash": "bytea", "content_hash": "bytea"}

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

HASH_BYTES = 16
LONGEST_TEXT = 2_000
LONGEST_ANSWER = 100_000
# A bib is in an index and on a person's chest; a gender is one letter.
LONGEST = {"bib": 100, "gender": 1}
_TEXTS = tuple(name for name, kind in CONTENT.items() if kind == "text")
_NUMBERS = {"user_id": BIGINT, "team_id": BIGINT, "age": SMALLINT}
_MOMENTS = ("registered_at", "modified_at")
_CENT = Decimal("0.01")
_MOST_MONEY = Decimal(10) ** 10
# In C, for every new row; by name they cost as much as decoding it.
_values_of = attrgetter(*CONTENT)
_BIB, _AMOUNT, _ANSWERS = (list(CONTENT).index(name) for name in ("bib", "amount_paid", "answers"))


class Columns(Struct, frozen=True, kw_only=True, gc=False):
    """One participant as PostgreSQL keeps it. `content` is in the order of CONTENT, its answers are JSON."""

    content: list[Any]
    modified_at: datetime | None
    raw: str
    raw_hash: bytes
    content_hash: bytes

    @property
    def bib(self) -> str:
        return str(self.content[_BIB])

    def without_contact(self) -> Columns:
        """As a blanked event keeps it. The empty hashes say so: they would tell what they were made of."""
        kept = {**self.by_name(), **BLANK, "answers": Raw(b"[]")}
        return Columns(
            content=list(kept.values()), modified_at=self.modified_at, raw="", raw_hash=b"", content_hash=b""
        )

    def by_name(self) -> dict[str, object]:
        """The content as PostgreSQL would give it back, its answers decoded."""
        return {**dict(zip(CONTENT, self.content, strict=True)), "answers": msgspec.json.decode(self.content[_ANSWERS])}


def columns_of(document: ParticipantDocument, *, raw: bytes, raw_hash: bytes) -> Columns:
    """What is stored of a document and its bytes. Raises RejectedRow when PostgreSQL would refuse some of it."""
    content: list[Any] = list(_values_of(document))
    content[_AMOUNT] = _money(document.amount_paid)
    try:
        answers = msgspec.json.encode(document.answers)
        content[_ANSWERS] = Raw(answers)
        encoded = msgspec.json.encode(content)
    except UnicodeEncodeError:
        _refuse_texts(document)
        raise
    # Looking at each text by itself costs as much as decoding the row. All together in JSON they are longer than the
    # longest, and a NUL is an escape there; after a second backslash it is not, and the closer look finds nothing.
    short = len(encoded) - len(answers) <= LONGEST_TEXT and len(answers) <= LONGEST_ANSWER
    if (
        not short
        or b"\\u0000" in encoded
        or len(document.bib) > LONGEST["bib"]
        or len(document.gender) > LONGEST["gender"]
    ):
        _refuse_texts(document)
    _refuse_numbers(document)
    return Columns(
        content=content,
        modified_at=document.modified_at,
        raw=raw_text_of(raw),
        raw_hash=raw_hash,
        content_hash=sha256(encoded).digest()[:HASH_BYTES],
    )


def content_of(document: ParticipantDocument) -> dict[str, object]:
    """The document's columns by name, its answers as a list. Raises RejectedRow like `columns_of`."""
    return columns_of(document, raw=b"", raw_hash=b"").by_name()


def _refuse_texts(document: ParticipantDocument) -> None:
    for name in _TEXTS:
        if problem := text_problem(getattr(document, name), longest=LONGEST.get(name, LONGEST_TEXT)):
            raise RejectedRow(f"{name} {problem}.")
    for text in texts_in(document.answers):
        if problem := text_problem(text, longest=LONGEST_ANSWER):
            raise RejectedRow(f"an answer {problem}.")


def _refuse_numbers(document: ParticipantDocument) -> None:
    for name, allowed in _NUMBERS.items():
        number = getattr(document, name)
        if number is not None and number not in allowed:
            raise RejectedRow(f"{name} is out of range.")
    for name in _MOMENTS:
        moment = getattr(document, name)
        if moment is not None and moment.tzinfo is None:
            raise RejectedRow(f"{name} has no time zone.")


def _money(amount: Decimal | None) -> Decimal | None:
    if amount is None:
        return None
    if amount.same_quantum(_CENT) and -_MOST_MONEY < amount < _MOST_MONEY:
        return amount
    if not amount.is_finite() or abs(amount) >= _MOST_MONEY:
        raise RejectedRow("amount_paid is out of range.")
    return amount.quantize(_CENT)


def raw_hash_of(raw: bytes | Raw) -> bytes:
    """A fifteenth of the time of sha256, a quarter of what a known page cost in all.

    Nobody's secret hangs on it: with effort two rows can be made that share it, but a row names its own registration,
    so all that could be hidden is an edit of one's own, made for that purpose.
    """
    return xxh3_128_digest(raw)


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
