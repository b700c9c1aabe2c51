"""From an answer to its JSON: nothing but a whole body of a good answer passes (contract §5.1; §8, traps 1, 2, 6)."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from partners.runsignup.answer import Answer
from partners.runsignup.errors import Scope, Transient, Unexpected
from partners.runsignup.outcomes import UNAVAILABLE, by_error, by_status

T = TypeVar("T")

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class _ErrorMember(msgspec.Struct):
    error: msgspec.Raw = msgspec.Raw(b"null")


_ERROR = msgspec.json.Decoder(_ErrorMember)
_ANYTHING = msgspec.json.Decoder(msgspec.Raw)


def body_of(answer: Answer, *, asked: Scope) -> bytes:
    """The body of a good answer: it begins like a JSON object or list and carries no `error`. Raises ProviderError.

    `asked` says what a "permission denied" would be about: the "key" (lists of races) or one "race".
    """
    body = answer.body.removeprefix(_BYTE_ORDER_MARK).strip()
    if body.startswith(b"{"):
        refuse_error(_error_member(body), answer, asked=asked)
    if answer.status != 200:
        raise by_status(answer)
    if body.startswith((b"{", b"[")):
        return body
    raise _no_json(body, answer)


def _error_member(body: bytes) -> bytes:
    try:
        return bytes(_ERROR.decode(body).error)
    except (ValueError, RecursionError):
        # Not whole: the status decides, else the decoder that reads the rest.
        return b"null"


def refuse_error(error: bytes, answer: Answer, *, asked: Scope) -> None:
    """Raise the outcome of an `error` member; null is none."""
    if error.strip() != b"null":
        raise by_error(error, answer, asked=asked)


def _no_json(body: bytes, answer: Answer) -> Transient | Unexpected:
    if not body:
        return Transient(f"{UNAVAILABLE}: its answer was empty.", http_status=answer.status)
    if body.startswith(b"<"):
        return Transient(f"{UNAVAILABLE}: it sent a web page instead of data.", http_status=answer.status)
    try:
        msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return Transient(f"{UNAVAILABLE}: its answer was not JSON.", http_status=answer.status)
    return Unexpected("RunSignUp's answer is neither a list nor an object.", http_status=answer.status)


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode a whole body. Raises Transient when it was cut off, Unexpected when its shape is not the known one."""
    try:
        return _decode(body, decoder)
    except (msgspec.DecodeError, UnicodeDecodeError):
        mended = _mend(body)
    if mended != body:
        try:
            return _decode(mended, decoder)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    raise Transient("RunSignUp's answer was cut off or is not JSON.", http_status=200)


def _decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        try:
            return decoder.decode(body)
        except msgspec.ValidationError as error:
            # msgspec names types and the path, never values.
            strange = unknown_shape(str(error))
        # Of a body that was also cut off, the cut is what counts: this raises DecodeError.
        _ANYTHING.decode(body)
        raise strange
    except RecursionError:
        raise Unexpected("RunSignUp's answer is nested too deeply.", http_status=200) from None


def unknown_shape(detail: str) -> Unexpected:
    return Unexpected(f"RunSignUp's answer does not have the known shape ({detail}).", http_status=200)


# A character escape at a time, so that the backslash of "\\ud800" (a backslash, then text) is not taken for one.
_ESCAPE_OR_CONTROL = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\."
    rb"|(?P<control>[\x00-\x08\x0b\x0c\x0e-\x1f])",
    re.DOTALL,
)


def _mend(body: bytes) -> bytes:
    """Half characters and bare control bytes spoil a whole page; as a NUL escape they spoil only their row."""
    return _ESCAPE_OR_CONTROL.sub(lambda m: rb"\u0000" if m["lone"] or m["control"] else m[0], body)
