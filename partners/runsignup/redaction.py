"""Take credentials out of text that goes to people or to logs (contract §8, trap 32)."""

from __future__ import annotations

import logging
import re

_CREDENTIAL = re.compile(
    r"(?P<name>\b(?:(?:rsu_|sp_)?api_(?:key|secret|reg)|tmp_(?:key|secret)|X-RSU-API-(?:REG-)?SECRET)\b)"
    r"(?P<between>[\"']?\s*[=:]\s*[\"']?)[^\s&\"'<>,)]+",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(?P<path>/[^\s?\"']*)\?[^\s\"']*")
LONGEST_QUOTE = 200


def redact(text: str) -> str:
    """`text` without the queries of URLs and without the values of credential parameters and headers."""
    return without_credentials(_QUERY.sub(r"\g<path>?…", text))


def without_credentials(text: str) -> str:
    """`text` without the values of credential parameters and headers; the queries of URLs stay."""
    return _CREDENTIAL.sub(r"\g<name>\g<between>***", text)


def quote(text: object) -> str:
    """The provider's own words for our pages and logs: one short printable line without credentials."""
    if not isinstance(text, str):
        return ""
    # Cut before the regular expressions run: the text may be megabytes.
    printable = "".join(char if char.isprintable() else " " for char in text[: 4 * LONGEST_QUOTE])
    return redact(" ".join(printable.split()))[:LONGEST_QUOTE]


class RedactingFilter(logging.Filter):
    """urllib3 logs the URL of each call: with keys of style `query` that is the secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = ()
        return True
