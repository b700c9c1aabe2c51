"""A sandbox with two small keys, for what must go over real HTTP.

Its races are spread around the present, because the budget's clock is the database's; what a key sees is therefore
asked, not written down.
"""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime

from partners.documents import CredentialReport
from partners.runsignup.client import RunSignUpClient
from partners.runsignup.sandbox import SandboxServer, World, build_world
from partners.runsignup.sandbox.model import Key
from partners.runsignup.transport import HttpTransport
from partners.secret import Secret


def small_world() -> World:
    return build_world(seed=7, keys=2, races=8, events=14, participants=60)


def first_key(world: World) -> Key:
    return next(iter(world.keys.values()))


def secret_of(key: Key) -> Secret:
    return Secret(key.secret)


def serve(world: World) -> SandboxServer:
    return SandboxServer(world, port=0)


def what_it_sees(url: str, key: Key) -> CredentialReport:
    """The provider's answer to the same test, past every gate."""
    transport = HttpTransport(base_url=url, api_key=key.key, api_secret=secret_of(key), key_style="query")
    try:
        client = RunSignUpClient(transport=transport, gate=nullcontext)
        return client.credential_test(now=datetime.now(UTC))
    finally:
        transport.close()
