"""When an event is due: slots phased by race, first visits of a tier, retries after failures."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from sync.core.policy import Policy, Tier
from sync.core.tiers import StartWindow, finished_after, tier_at, tier_until


def phase(race_id: int, *, period: timedelta, cycle: timedelta) -> timedelta:
    """Where in its period a race's slots lie: stable, spread evenly over the races, and in whole cycles.

    A slot between two cycles would make every visit of the race wait for the next cycle, always the same seconds.
    """
    digest = hashlib.blake2b(str(race_id).encode(), digest_size=8).digest()
    return int.from_bytes(digest) % max(1, period // cycle) * cycle


def slot_at_or_after(moment: datetime, *, race_id: int, period: timedelta, cycle: timedelta) -> datetime:
    """The race's first slot that is not before `moment`. The grid is in UTC, so no clock change touches it."""
    anchor = datetime(1970, 1, 1, tzinfo=UTC) + phase(race_id, period=period, cycle=cycle)
    return moment + (anchor - moment) % period


def entry_due(*, tier: Tier, race_id: int, at: datetime, policy: Policy) -> datetime:
    """The first visit of a tier that begins at `at`.

    HIGH takes the race's next slot, at most a minute later, so that races that enter together do not fire together.
    """
    if tier is Tier.HIGH:
        return slot_at_or_after(at, race_id=race_id, period=policy.high.period, cycle=policy.cycle)
    return at


def next_due(
    *,
    window: StartWindow | None,
    race_id: int,
    now: datetime,
    policy: Policy,
    came_along: bool = False,
    stretched: timedelta | None = None,
    due_at: datetime | None = None,
) -> datetime | None:
    """After a good visit: the next slot, or the first visit of the next tier if that comes before. None: finished.

    Only one visit is ever owed: slots that passed during an outage are not made up for. An event that `came_along` was
    visited ahead of its slot and is due a whole period later: with the same slot again it would come along each time.
    `stretched`: the period that the key's pace leaves to this event, longer than the tier's; it has no fixed slots,
    because they would jump whenever the pace changes. It counts from `due_at`, when the visit was due: what passed
    until a cycle came and the lane got to it must not add up, or calls would be left unused. A visit that came late is
    not followed by the next one at once, but after the tier's own period.
    """
    tier = tier_at(window, now=now, policy=policy)
    if tier is None or (window is not None and now == finished_after(window, policy=policy)):
        return None
    period = policy.rule(tier).period
    slot = slot_at_or_after(now + timedelta(microseconds=1), race_id=race_id, period=period, cycle=policy.cycle)
    if stretched is not None and stretched > period:
        slot = max(min(due_at or now, now) + stretched, now + period - policy.cycle)
    elif came_along:
        slot = now + period
    return earlier_for_next_tier(slot, window=window, race_id=race_id, now=now, policy=policy)


def earlier_for_next_tier(
    due_at: datetime, *, window: StartWindow | None, race_id: int, now: datetime, policy: Policy
) -> datetime:
    """`due_at`, moved up when the tier changes before it. The last visit falls on the last moment of HIGH."""
    until = tier_until(window, now=now, policy=policy)
    if until is None or due_at <= until:
        return due_at
    following = tier_at(window, now=until, policy=policy)
    if following is None or following is tier_at(window, now=now, policy=policy):
        return until
    return min(due_at, entry_due(tier=following, race_id=race_id, at=until, policy=policy))


def retry_due(
    *, window: StartWindow | None, now: datetime, failures: int, policy: Policy, jitter: float
) -> datetime | None:
    """After the `failures`-th failure in a row: exponential back-off from the period with full jitter (0 ≤ jitter < 1),
    bounded per tier. None when the event is over."""
    tier = tier_at(window, now=now, policy=policy)
    if tier is None:
        return None
    rule = policy.rule(tier)
    # Past 2**20 the bound has long been reached; an endless row of failures must not overflow.
    longest = min(rule.period * 2 ** min(failures - 1, 20), rule.longest_retry)
    return now + longest * jitter


def comes_along(*, due_at: datetime, now: datetime, tier: Tier, policy: Policy) -> bool:
    """Whether a visit of its race takes the event along: it would be due within half its period anyway."""
    return due_at - now <= policy.rule(tier).period / 2
