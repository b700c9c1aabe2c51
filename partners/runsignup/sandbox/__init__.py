"""An emulator of the RunSignUp API for demo, tests and load: plain standard library, invented people, loopback only.

`build_world` makes the races and people of a seed and a moment; `SandboxServer` answers for them over HTTP. The world
also keeps the truth (who was registered when), a ledger of every call it saw and a script of faults, so that a checker
can ask.
"""

from partners.runsignup.sandbox.seeding import build_world
from partners.runsignup.sandbox.server import SandboxServer
from partners.runsignup.sandbox.world import World

__all__ = ["SandboxServer", "World", "build_world"]
