"""A stage for the services and their commands: an empty provider with one key (or `stage_of` with several)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from partners.runsignup.sandbox import SandboxServer
from tests.sync.provider_stage import Stage, empty_world, onboarded


@pytest.fixture
def stage_of(settings, transactional_db) -> Iterator[Callable[[int], Stage]]:
    """Makes a stage with so many keys, each of a partner of its own. One stage a test."""
    with ExitStack() as stack:

        def make(keys: int) -> Stage:
            world = empty_world(keys=keys)
            server = stack.enter_context(SandboxServer(world))
            settings.RUNSIGNUP_URL = server.url
            return Stage(world=world, server=server, keys=onboarded(world))

        yield make


@pytest.fixture
def stage(stage_of) -> Stage:
    return stage_of(1)
