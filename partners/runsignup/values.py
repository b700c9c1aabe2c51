"""Single values of the provider's rows: ids, flags, text, money (contract §8, traps 12 to 14, 23, 27, 28).

What identifies (an id) or cannot be stored (text with NUL, overlong text) rejects its row. An optional value that
cannot be read (an age, a date, a fee) counts as absent: a runner is not missing from a start list because of it, and
its text stays in `raw`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from partners.documents import RejectedRow

# A JSON scalar that the provider sometimes sends as a number and sometimes as text.
Scalar = str | int | float | None
Flag = str | int | bool | None

LONGEST_TEXT = 1000
LONGEST_ANSWER = 20_000
LONGEST_BIB = 100
OLDEST = 150
_BIGINT = 2**63
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_MONEY = re.compile(r"(?P<minus>-?)\$?(?P<minus_after>-?)(?P<amount>[0-9][0-9,]{0,12}(?:\.[0-9]{1,2})?)")


def whole_number(value: object) -> int | None:
    """`value` as an integer that PostgreSQL's bigint holds; None for anything else (also for true and false)."""
    if isinstance(value, str):
        digits = value.strip()
        value = int(digits) if _WHOLE.fullmatch(digits) else None
    elif isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if type(value) is not int:
        return None
    return value if -_BIGINT <= value < _BIGINT else None


def required_id(value: object, field: str) -> int:
    number = whole_number(value)
    if number is None or number <= 0:
        raise RejectedRow(f"{field} is missing." if value is None else f"{field} is not a positive number.")
    return number


def optional_id(value: object, field: str) -> int | None:
    """An id that may be null, or "" as some clients saw it."""
    if value is None or value == "":
        return None
    number = whole_number(value)
    if number is None:
        raise RejectedRow(f"{field} is not a number.")
    return number


def text(value: Scalar, field: str, *, longest: int = LONGEST_TEXT) -> str:
    """Stripped text, "" for null. Its Unicode form stays as the person typed it."""
    if value is None:
        return ""
    shown = value if isinstance(value, str) else _number_text(value)
    if "\x00" in shown:
        raise RejectedRow(f"{field} contains a NUL or a broken character.")
    shown = shown.strip()
    if len(shown) > longest:
        raise RejectedRow(f"{field} has {len(shown)} characters, at most {longest} are stored.")
    return shown


def _number_text(value: float) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def flag(value: Flag) -> bool:
    """ "T" is true; "F" is a non-empty text and still false."""
    return value is True or value == "T"


def gender(value: Scalar) -> str:
    """M, F or X; "" for everything else: unknown is never guessed (contract §3.5)."""
    letter = str(value).strip().upper()
    return letter if letter in {"M", "F", "X"} else ""


def age(value: Scalar) -> int | None:
    years = whole_number(value)
    return years if years is not None and 0 <= years <= OLDEST else None


def money(value: Scalar) -> Decimal | None:
    """ "$1,055.00" as Decimal; two decimals, below ten thousand million."""
    if isinstance(value, str):
        return _money(value.strip()) if len(value) <= 20 else None
    if value is None:
        return None
    return _money(f"{value:.2f}") if abs(value) < 1e10 else None


# The registrations of an event share few amounts: a look-up costs an eighth of parsing one.
@lru_cache(maxsize=8192)
def _money(value: str) -> Decimal | None:
    match = _MONEY.fullmatch(value)
    if not match:
        return None
    amount = Decimal(match["amount"].replace(",", ""))
    if amount >= 10**10:
        return None
    return -amount if match["minus"] or match["minus_after"] else amount
