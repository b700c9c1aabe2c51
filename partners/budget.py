"""The arithmetic of a key's call budget: GCRA, reserves, slowing down. Pure: no clock, no database.

Times are seconds on any one clock (floats); rates are calls per hour. The same functions run in the gate, which keeps
the state in PostgreSQL, and under the virtual clock of tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

HOUR = 3600.0
BURST = 20
LOWEST_RATE = 120
THROTTLE_FACTOR = 0.7
RAISE_STEP = 25
RAISE_EVERY = 300.0
SHORTEST_PAUSE = 60.0
LONGEST_PAUSE = 3600.0
# Of a key's limit. Our own count and the provider's may differ by what was in flight, by when its hour begins and by a
# limit that is a little lower than we were told; a quarter of the limit is more than all of that.
EXPLAINED_BY_US = 0.75

Purpose = Literal["HIGH", "MEDIUM", "LOW", "background"]
Reserves = Mapping[Purpose, int]
# Calls that must stay free for the more urgent: HIGH may take the last one.
RESERVES: Reserves = {"HIGH": 0, "MEDIUM": 3, "LOW": 7, "background": 11}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Any sliding hour holds at most `rate` calls: `burst` at once plus `rate - burst` at the steady interval."""

    burst: int
    interval: float

    @classmethod
    @lru_cache(maxsize=1024)
    def of(cls, rate: int) -> Bucket:
        """Raises ValueError for a rate under 2, which leaves nothing after the burst."""
        if rate < 2:
            raise ValueError(f"A limit of {rate} calls an hour cannot be kept: it must be at least 2.")
        burst = max(1, min(BURST, rate // 10))
        return cls(burst=burst, interval=HOUR / (rate - burst))


def believable_arrival(*, rate: int, arrival: float, now: float) -> float:
    """`arrival`, unless it lies further ahead than any spending could have put it: then the clock was set back."""
    return min(arrival, now + BURST * Bucket.of(rate).interval)


def free_calls(*, rate: int, arrival: float, now: float) -> int:
    """Calls that could be made at once at `now`; `arrival` is GCRA's theoretical arrival time."""
    bucket = Bucket.of(rate)
    ahead = max(0.0, arrival - now)
    # The epsilon takes float dust away: at the exact moment a call becomes free it counts.
    return max(0, int((bucket.burst * bucket.interval - ahead) / bucket.interval + 1e-9))


def reserve(purpose: Purpose, *, rate: int, reserves: Reserves = RESERVES) -> int:
    """Calls that must remain free after this one; scaled down with the burst of a small key."""
    return reserves[purpose] * Bucket.of(rate).burst // BURST


def spend(
    *, rate: int, arrival: float, now: float, purpose: Purpose, reserves: Reserves = RESERVES
) -> tuple[float, float]:
    """(new arrival, 0.0) when a call may be made now, else (arrival unchanged, seconds until it may)."""
    bucket = Bucket.of(rate)
    needed = reserve(purpose, rate=rate, reserves=reserves) + 1
    start = max(arrival, now)
    wait = start + needed * bucket.interval - bucket.burst * bucket.interval - now
    if wait > 1e-9:
        return arrival, wait
    return start + bucket.interval, 0.0


def slowed(*, rate: int) -> int:
    """The rate after the provider said slow down."""
    return max(LOWEST_RATE if rate > LOWEST_RATE else rate, int(rate * THROTTLE_FACTOR))


def pause(*, retry_after: float | None) -> float:
    """Seconds without any call: what the provider asked, at least a minute, at most an hour."""
    return min(max(retry_after or 0.0, SHORTEST_PAUSE), LONGEST_PAUSE)


def raised(*, rate: int, limit: int, since_change: float) -> int:
    """The rate after `since_change` seconds without trouble: a step every five minutes up to the limit."""
    return min(limit, rate + RAISE_STEP * int(since_change // RAISE_EVERY)) if rate < limit else limit


def used_elsewhere(*, limit: int, calls: int) -> bool:
    """Whether a throttling after `calls` of ours within an hour means that somebody else spends the key as well."""
    return calls < EXPLAINED_BY_US * limit


def installation_places(limit: int, *, purpose: Purpose) -> int:
    """How many of the `limit` calls at once of the whole installation this purpose may have.

    A quarter stays free of background work: loads of history must never keep the races of today waiting.
    """
    return max(1, limit * 3 // 4) if purpose == "background" else limit
