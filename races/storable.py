"""What PostgreSQL would refuse, found before it is sent: one refused value would undo a whole page."""

from __future__ import annotations

from collections.abc import Iterator

BIGINT = range(-(2**63), 2**63)
SMALLINT = range(-(2**15), 2**15)


def text_problem(text: str, *, longest: int) -> str:
    """Why `text` cannot be stored, "" when it can. Never repeats the text: it may be personal."""
    if "\x00" in text:
        return "contains a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "contains half a character (a lone surrogate)"
    if len(text) > longest:
        return f"has {len(text)} characters, at most {longest} are stored"
    return ""


def texts_in(value: object) -> Iterator[str]:
    """Every text inside a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts_in(key)
            yield from texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)
