"""The worlds that there are to choose from by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from partners.runsignup.sandbox.saturday import LATENCY, build_saturday
from partners.runsignup.sandbox.seeding import build_world
from partners.runsignup.sandbox.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldKind:
    """`sizes`: what of its size can be chosen. `latency`: seconds that a call takes unless something else is asked."""

    build: Callable[..., World]
    sizes: tuple[str, ...]
    latency: float


DEFAULT = "morning"
WORLDS = {
    DEFAULT: WorldKind(build=build_world, sizes=("keys", "races", "events", "participants"), latency=0.0),
    "saturday": WorldKind(build=build_saturday, sizes=("participants",), latency=LATENCY),
}
