"""An error of a run, taken apart: the plain sentence, and the provider's own words with the code they came under. Pure.

The inverse of how partners.runsignup.outcomes says it: "Sentence (error 7: its words)." or "Sentence (HTTP 503)."
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SAID = re.compile(
    r"(?P<plain>.+?) \((?P<code>error \d+|HTTP \d+)(?:: (?P<words>.+))?\)\.(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorWords:
    """`words`: the provider's, "" when it said none; `code`: "error 7", "HTTP 503" or ""."""

    plain: str
    words: str
    code: str


def error_words(text: str) -> ErrorWords:
    said = _SAID.fullmatch(text)
    if said is None:
        return ErrorWords(plain=text, words="", code="")
    return ErrorWords(plain=f"{said['plain']}.{said['rest']}", words=said["words"] or "", code=said["code"])
