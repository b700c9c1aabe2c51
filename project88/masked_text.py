"""Settings that are secrets, as texts that do not show themselves."""

from __future__ import annotations


class MaskedText(str):
    """Works as its text; what prints a list, a dictionary, `diffsettings` or a frame's variables shows only that it is
    there. A `Secret` would be safer, but Django and psycopg want a text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self else "''"
