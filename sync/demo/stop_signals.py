"""Ctrl-C and SIGTERM as a wish to stop, not as an exception in the middle of something."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable


class StopSignals:
    """Made in the main thread. The second Ctrl-C is an ordinary KeyboardInterrupt, for who cannot wait."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._then: list[Callable[[], object]] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: object) -> None:
        self._asked.set()
        print("Stopping …", flush=True)
        for act in self._then:
            act()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def then(self, act: Callable[[], object]) -> None:
        """Call `act` when the wish comes; it must not block."""
        self._then.append(act)

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def wait(self, seconds: float) -> bool:
        return self._asked.wait(seconds)
