"""Lets the world live at a rate, beside the server."""

from __future__ import annotations

import threading
from random import Random

from partners.runsignup.sandbox.world import World

# How often it looks whether something is owed. A change is at most this late.
TICK_SECONDS = 0.25


class LifeThread:
    """`changes_per_minute` may be set at any time; 0 is a standstill."""

    def __init__(self, world: World, changes_per_minute: float = 0.0) -> None:
        self.changes_per_minute = changes_per_minute
        self.changes = 0
        self._world = world
        self._rng = Random(f"{world.seed}|life")  # noqa: S311 - invented data
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-life", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        owed = 0.0
        while not self._stopping.wait(TICK_SECONDS):
            owed += self.changes_per_minute * TICK_SECONDS / 60
            while owed >= 1 and not self._stopping.is_set():
                owed -= 1
                # The moment is read under the lock: an answer given before it must not lack what history dates earlier.
                with self._world.lock:
                    happened = self._world.live(self._world.clock(), self._rng)
                self.changes += happened is not None
