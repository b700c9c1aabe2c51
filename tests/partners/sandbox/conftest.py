"""A small sandbox and a caller for it, new for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from partners.runsignup.sandbox import SandboxServer, World
from tests.partners.sandbox.caller import Caller, Clock, sibling_of, small_world


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    return small_world(clock)


@pytest.fixture
def caller(world: World) -> Iterator[Caller]:
    with SandboxServer(world) as server:
        yield Caller(server, world)


@pytest.fixture
def event_id(world: World) -> int:
    """An event to come that has a sibling on the same morning and people in both."""
    return next(
        event.event_id
        for event in world.events.values()
        if event.event_id >= 990_000 and len(event.registrations) >= 10 and sibling_of(world, event.event_id)
    )
