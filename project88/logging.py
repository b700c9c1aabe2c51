"""Log records as events: a constant message, an action and facts; JSON in production, one plain line in development."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from project88.share_tokens import without_share_tokens

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


class JsonFormatter(logging.Formatter):
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
        return without_share_tokens(json.dumps(event, default=str))


class LineFormatter(logging.Formatter):
    """`12:30:05 INFO message key=value …` for people at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        facts = " ".join(
            f"{key}={value!r}" for key, value in _facts(record).items() if key not in {"request", "status_code"}
        )
        line = f"{at} {record.levelname} {record.getMessage()}" + (f" {facts}" if facts else "")
        line = line.replace("\r", "\\r").replace("\n", "\\n")
        return without_share_tokens(f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line)
