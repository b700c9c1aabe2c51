"""A sandbox with one small key, for what must go over real HTTP."""

from __future__ import annotations

from partners.runsignup.sandbox import SandboxServer, World, build_world
from partners.runsignup.sandbox.model import Key
from partners.secret import Secret


def small_world() -> World:
    return build_world(seed=7, keys=2, races=8, events=14, participants=60)


def first_key(world: World) -> Key:
    return next(iter(world.keys.values()))


def secret_of(key: Key) -> Secret:
    return Secret(key.secret)


def serve(world: World) -> SandboxServer:
    return SandboxServer(world, port=0)
