"""The provider's outcomes. The class says who acts next; the table says which answer is which (contract §5).

`Transient`: back off. `Throttled`: the key slows down. `Refused`: a person must act. `Gone`: close this item.
`Unexpected`: a bug, here or there: record, back off, alert. What is not in the table is `Unexpected`: never "retry",
never "empty".
"""

from __future__ import annotations

from typing import Literal

Scope = Literal["key", "race"]


class ProviderError(Exception):
    """Base of all outcomes that are not an answer. `text` is for people and holds no secret; `code` is the provider's
    error code or None; `provider_text` is the provider's own words."""

    def __init__(
        self, text: str, *, code: int | None = None, http_status: int | None = None, provider_text: str = ""
    ) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.http_status = http_status
        self.provider_text = provider_text


class Transient(ProviderError):
    """The provider or the way to it is unwell. Data is kept; try again later."""


class Throttled(ProviderError):
    """The provider said slow down. `retry_after` in seconds as it asked, None when it did not or not readably; `of_key`
    when it counts the calls of this key, not when the provider itself has too much to do."""

    def __init__(self, text: str, *, retry_after: float | None = None, of_key: bool = False, **more: object) -> None:
        super().__init__(text, **more)  # type: ignore[arg-type]
        self.retry_after = retry_after
        self.of_key = of_key


class Refused(ProviderError):
    """A person must act. `scope` "key": the key or the caller registration does not work; "race": only this race."""

    def __init__(self, text: str, *, scope: Scope, **more: object) -> None:
        super().__init__(text, **more)  # type: ignore[arg-type]
        self.scope = scope


class Gone(ProviderError):
    """The race or event does not exist (any more) at the provider. Its data is kept."""


class Unexpected(ProviderError):
    """Nothing we know. Never read as an empty answer."""
