"""A value that must never become text by accident."""

from __future__ import annotations


class Secret:
    """Holds a secret; every way to print, log, format or pickle it shows only that it is there.

    `reveal()` is called in one place, the transport's function that puts credentials on the wire.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    @property
    def ending(self) -> str:
        """The last four characters, for "ends in …4f2a"; nothing of a short secret."""
        return self._value[-4:] if len(self._value) >= 12 else ""

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __repr__(self) -> str:
        return "Secret(***)" if self._value else "Secret(empty)"

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("A secret is not pickled: pass the credential's id and read it where it is used.")
