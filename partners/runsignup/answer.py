"""What comes back over the wire, before anybody has read it, and who fetches it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer: header names in lower case, the body whole and decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def server_time(self) -> int | None:
        """The provider's clock (`Date`) in Unix seconds, None when absent or unreadable."""
        at = _http_date(self.headers.get("date", ""))
        return int(at.timestamp()) if at else None

    @property
    def retry_after(self) -> float | None:
        """`Retry-After` in seconds, None when absent or unreadable. A date counts from the provider's own clock: ours
        may be an hour off."""
        text = self.headers.get("retry-after", "").strip()
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
            return float(text)
        until, now = _http_date(text), self.server_time
        if until is None or now is None:
            return None
        return max(0.0, until.timestamp() - now)


def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
        # "-0000" is read without a zone; HTTP dates are GMT.
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


class Transport(Protocol):
    """Makes one call. Raises Transient when no whole answer came; its texts hold no URL, key or secret."""

    def get(self, path: str, params: Mapping[str, str]) -> Answer: ...

    def close(self) -> None: ...
