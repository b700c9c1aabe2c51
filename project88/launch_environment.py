"""The variables that `manage.py demo` sets before the settings are read."""

from __future__ import annotations

import socket
from collections.abc import MutableMapping, Sequence

DEMO_DATABASE = "demo"


def prepare(command: Sequence[str], environment: MutableMapping[str, str]) -> None:
    """The demo never talks with the real provider nor into the real database, whatever `.env` says."""
    if list(command) == ["demo"]:
        environment["DEBUG"] = "true"
        environment["RUNSIGNUP_URL"] = f"http://127.0.0.1:{free_port()}/rest"
        environment["RUNSIGNUP_REG"] = environment["RUNSIGNUP_REG_SECRET"] = ""
        environment.setdefault("EMBEDDED_DATABASE", DEMO_DATABASE)


def free_port() -> int:
    """A port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
