"""What happened in a simulation: every sync and every call, by whichever policy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sync.core.policy import Tier

# Told now and then which part of the world's time has passed, 0 to 1.
Progress = Callable[[float], None]


class Sync(NamedTuple):
    """One event's list was fetched: `started` is what people read as "as of"."""

    started: datetime
    finished: datetime
    tier: Tier


@dataclass(slots=True)
class History:
    """`syncs` by event and `calls` (Unix seconds) by key, in order. `most_picked`: the most events of a tier that the
    plan took in one cycle."""

    syncs: dict[int, list[Sync]] = field(default_factory=lambda: defaultdict(list))
    calls: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    most_picked: dict[Tier, int] = field(default_factory=lambda: dict.fromkeys(Tier, 0))
