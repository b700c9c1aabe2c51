"""Asking the sandbox for its keys, its truth and its ledger."""

from __future__ import annotations

from typing import Any

import requests

TIMEOUT = 30


class SandboxControl:
    """`root` is like http://127.0.0.1:8089. Raises requests.RequestException when the sandbox is not there."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._session = requests.Session()
        self._session.trust_env = False

    def keys(self) -> list[dict[str, Any]]:
        return self._get("keys")

    def history(self, event_id: int) -> list[dict[str, Any]]:
        return self._get(f"history?event_id={event_id}")

    def ledger(self) -> dict[str, dict[str, Any]]:
        return self._get("ledger")

    def set_life(self, changes_per_minute: float) -> None:
        answer = self._session.post(
            f"{self.root}/sandbox/life", json={"changes_per_minute": changes_per_minute}, timeout=TIMEOUT
        )
        answer.raise_for_status()

    def is_up(self) -> bool:
        try:
            self._get("clock")
        except requests.RequestException:
            return False
        return True

    def _get(self, path: str) -> Any:
        answer = self._session.get(f"{self.root}/sandbox/{path}", timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.json()
