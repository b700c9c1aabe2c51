"""Run a world under a policy."""

from __future__ import annotations

from enum import StrEnum

from sync.core.policy import DEFAULT_POLICY, Policy
from sync.simulation import older_policies
from sync.simulation.history import History, Progress
from sync.simulation.machine import Machine
from sync.simulation.world import World

# Seconds that a call takes.
LATENCY = 1.5


class Way(StrEnum):
    """How the events of a world are scheduled."""

    FIFO = "fifo"
    TIERS = "tiers"
    PROJECT88 = "project88"


def _untold(part: float) -> None:
    """Nobody asked for progress."""


def simulate(
    world: World,
    way: Way,
    *,
    latency: float = LATENCY,
    policy: Policy = DEFAULT_POLICY,
    progress: Progress = _untold,
) -> History:
    """Everything that happens in the world's time. The same world gives the same history."""
    match way:
        case Way.FIFO:
            return older_policies.fifo(world, policy=policy, progress=progress)
        case Way.TIERS:
            return older_policies.tiers(world, policy=policy, latency=latency, progress=progress)
    return Machine(world, policy=policy, latency=latency).run(progress)
