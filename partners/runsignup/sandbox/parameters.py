"""The query of a call, read the way the API reads it: the last of a repeated name counts, unknown ones are ignored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from urllib.parse import parse_qsl

from partners.runsignup.sandbox.time_texts import eastern_today


class ApiError(Exception):
    """An answer that is an error: in HTTP 200 but for a refused caller (contract §5)."""

    def __init__(self, code: int, message: str, *, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


INVALID = (3, "Invalid parameters")


@dataclass(slots=True)
class Parameters:
    """Parameters by name; every reader raises ApiError 3 for what it cannot read."""

    values: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_query(cls, query: str) -> Parameters:
        return cls(dict(parse_qsl(query, keep_blank_values=True)))

    def without(self, names: tuple[str, ...]) -> Parameters:
        return Parameters({name: value for name, value in self.values.items() if name not in names})

    def text(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)

    def flag(self, name: str) -> bool:
        return self.values.get(name, "F").upper() == "T"

    def number(self, name: str, default: int | None = None, *, least: int = 0) -> int | None:
        """A whole number, or `default` where the parameter is missing or empty."""
        text = self.values.get(name, "").strip()
        if not text:
            return default
        try:
            number = int(text)
        except ValueError:
            raise ApiError(*INVALID) from None
        if number < least:
            raise ApiError(*INVALID)
        return number

    def page(self, *, most: int) -> tuple[int, int]:
        """(page from 1, rows on it): 50 by default, clamped silently to `most`."""
        size = self.number("results_per_page", 50, least=1) or 50
        return self.number("page", 1, least=1) or 1, min(size, most)

    def ids(self, name: str) -> list[int]:
        """A comma list of ids in the order given, each once; error 3 where it is missing."""
        try:
            return list(dict.fromkeys(int(part) for part in self.values.get(name, "").split(",")))
        except ValueError:
            raise ApiError(*INVALID) from None

    def day(self, name: str, *, now: float) -> date | None:
        """`YYYY-mm-dd`, a Unix timestamp, `today` or `tomorrow`, as an Eastern day."""
        text = self.values.get(name, "").strip()
        if not text:
            return None
        if text in ("today", "tomorrow"):
            return eastern_today(now) + timedelta(days=text == "tomorrow")
        try:
            return eastern_today(int(text)) if text.isdigit() else datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007
        except (ValueError, OverflowError):
            raise ApiError(9, "Invalid date") from None

    def modified_after(self) -> int | None:
        """Unix seconds. A date text matches nothing, without a word (contract §3.2)."""
        text = self.values.get("modified_after_timestamp", "").strip()
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            return 2**62
