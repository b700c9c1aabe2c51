"""Rows as the API gives them: the full one that the world keeps, and what an answer leaves of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from partners.runsignup.sandbox.model import Registration, Row, Version
from partners.runsignup.sandbox.time_texts import eastern_dashed, eastern_slashed

_REMOVED_FIELDS = (
    "race_fee",
    "processing_fee",
    "processing_fee_paid_by_user",
    "processing_fee_paid_by_race",
    "amount_paid",
)

_NO_TEAM = dict.fromkeys(("team_id", "team_name", "team_type_id", "team_type", "team_gender", "team_bib_num"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """Which optional blocks a caller asked for."""

    supports_nb: bool = True
    questions: bool = True
    anonymous: bool = True
    addons: bool = True

    @property
    def cache_key(self) -> tuple[bool, ...]:
        return (self.supports_nb, self.questions, self.anonymous, self.addons)


EVERYTHING = Blocks()


def active_row(
    *,
    registration_id: int,
    event_id: int,
    user: dict[str, Any],
    registered: float,
    modified: int,
    fee: str,
    age: int | None,
    imported: bool = False,
    transaction: int | None = None,
    answers: list[dict[str, Any]] | None = None,
) -> Row:
    """A new registration without bib, chip, team or shirt, in the field order of contract §7.3."""
    return {
        "user": user,
        "registration_id": registration_id,
        "event_id": event_id,
        "rsu_transaction_id": transaction,
        "transaction_id": _transaction_text(transaction),
        "bib_num": None,
        "chip_num": None,
        "age": age,
        "registration_date": eastern_slashed(registered),
        **_NO_TEAM,
        "last_modified": modified,
        "imported": "T" if imported else "F",
        **_money(fee, paid=not imported and fee != "$0.00"),
        "giveaway": None,
        "giveaway_option_id": None,
        "question_responses": answers or [],
    }


def shown_row(row: Row, registration_id: int, blocks: Blocks) -> Row:
    """The row with only the blocks that were asked for."""
    shown = dict(row)
    shown["user"] = _shown_user(row["user"], registration_id, blocks)
    if not blocks.questions:
        shown.pop("question_responses", None)
    if blocks.addons:
        shown.setdefault("participant_addons", [])
    return shown


def removed_row(registration: Registration, version: Version, blocks: Blocks) -> Row:
    """The row of removed-participants: no event, bib, chip or team, dashed Eastern times (contract §3.6)."""
    row = version.row
    return {
        "user": _shown_user(row["user"], registration.registration_id, blocks),
        "registration_id": registration.registration_id,
        "age": row.get("age"),
        "registration_date": eastern_dashed(registration.registered),
        "last_modified": eastern_dashed(version.modified),
        "last_modified_ts": version.modified,
        "imported": row.get("imported"),
        **{name: row.get(name) for name in _REMOVED_FIELDS},
        "removed_reason": version.reason,
        "new_registration_id": version.successor,
    }


def condensed_row(registration: Registration, version: Version) -> Row:
    return {
        "registration_id": registration.registration_id,
        "last_modified_ts": version.modified,
        "removed_reason": version.reason,
        "new_registration_id": version.successor,
    }


def encoded_row(registration: Registration, blocks: Blocks) -> bytes:
    """The current active row as JSON; made once, since a page of 1,000 of them is asked for every minute."""
    cached = registration.encoded.get(blocks.cache_key)
    if cached is None:
        cached = to_json(shown_row(registration.current.row, registration.registration_id, blocks))
        registration.encoded[blocks.cache_key] = cached
    return cached


def to_json(data: Any) -> bytes:
    r"""JSON the way PHP writes it: ASCII only, and slashes as `\/`. A slash occurs nowhere in JSON but inside texts."""
    return json.dumps(data, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def _shown_user(user: dict[str, Any], registration_id: int, blocks: Blocks) -> dict[str, Any]:
    shown = dict(user)
    if not blocks.anonymous:
        shown.pop("is_anonymous", None)
    if not blocks.supports_nb and shown.get("gender") == "X":
        # The blog says null, clients saw the key missing.
        if registration_id % 2:
            shown["gender"] = None
        else:
            del shown["gender"]
    return shown


def _transaction_text(transaction: int | None) -> str | None:
    """Null, `ay_…` or a numeric text: all three were seen."""
    if transaction is None:
        return None
    return f"ay_{transaction:016X}_0" if transaction % 3 else str(transaction)


def _money(fee: str, *, paid: bool) -> dict[str, str | None]:
    processing = "$3.80" if paid else "$0.00"
    return {
        "race_fee": fee,
        "offline_payment_amount": "$0.00",
        "processing_fee": processing,
        "processing_fee_paid_by_user": processing,
        "processing_fee_paid_by_race": "$0.00",
        "partner_fee": "$0.00",
        "affiliate_profit": "$0.00",
        "extra_fees": "$0.00",
        "amount_paid": _with_processing(fee) if paid else "$0.00",
        "usatf_discount_amount_in_cents": "$0.00",
        "usatf_discount_additional_field": None,
    }


def _with_processing(fee: str) -> str:
    cents = int(fee.replace("$", "").replace(",", "").replace(".", "")) + 380
    return f"${cents // 100:,}.{cents % 100:02d}"
