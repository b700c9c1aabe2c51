"""Log records as events: a constant message, an action and facts; JSON in production, one plain line in development."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from partners.runsignup.redaction import redact, without_credentials
from project88.share_tokens import without_share_tokens

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


class _RedactingFormatter(logging.Formatter):
    """The last net below the transport: whatever a library puts into an exception, no credential gets into a log."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        return redact(super().formatException(ei))


def _clean(line: str) -> str:
    return without_share_tokens(without_credentials(line))


class JsonFormatter(_RedactingFormatter):
    """One JSON object a line: at, level, logger, message, then the facts of `extra`. Newlines cannot forge a record."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return _clean(json.dumps(event, default=str))


class LineFormatter(_RedactingFormatter):
    """`12:30:05 INFO message key=value …` for people at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        facts = " ".join(
            f"{key}={value!r}" for key, value in _facts(record).items() if key not in {"request", "status_code"}
        )
        line = f"{at} {record.levelname} {record.getMessage()}" + (f" {facts}" if facts else "")
        # A newline would forge a line, an escape sequence would colour or clear somebody's terminal.
        line = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], line)
        return _clean(f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line)
