"""The web server's log of requests, with the tokens of share links left out."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger

from project88.share_tokens import without_share_tokens


class AccessLogger(Logger):
    def atoms(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        atoms: dict[str, Any] = super().atoms(*args, **kwargs)
        return {name: without_share_tokens(value) if isinstance(value, str) else value for name, value in atoms.items()}
