"""Child processes under one roof: started, watched, started anew when they die, stopped together."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

MANAGE = [sys.executable, str(Path(__file__).resolve().parent.parent / "manage.py")]
# A child that dies at once is not started again in a loop that burns the machine.
RESTART_PAUSES = (1.0, 2.0, 5.0, 15.0, 30.0)
CALM_AFTER = 60.0
_PR_SET_PDEATHSIG = 1


@dataclass(slots=True, kw_only=True)
class Child:
    """One program. `deaths` counts those in quick succession."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path | None
    process: subprocess.Popen[bytes]
    started: float
    deaths: int = 0
    restart_at: float | None = None


@dataclass(slots=True)
class ProcessGroup:
    """Children of this process. `tell` gets a sentence for people when one died."""

    tell: Callable[[str], None]
    children: dict[str, Child] = field(default_factory=dict)

    def start(
        self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None, log: Path | None = None
    ) -> Child:
        """`log`: the file that takes what the child prints; without it, it prints where we do."""
        full = {**os.environ, **(env or {})}
        process = _spawn(argv, full, log)
        child = Child(name=name, argv=argv, env=full, log=log, process=process, started=time.monotonic())
        self.children[name] = child
        return child

    def look(self) -> None:
        """Start again what died. Called about once a second."""
        now = time.monotonic()
        for child in self.children.values():
            code = child.process.poll()
            if code is None:
                continue
            if child.restart_at is None:
                # Its own children may live on (a killed cluster's workers): they go before a new one comes.
                _kill_group(child.process.pid)
                child.deaths = 1 if now - child.started > CALM_AFTER else child.deaths + 1
                pause = RESTART_PAUSES[min(child.deaths, len(RESTART_PAUSES)) - 1]
                child.restart_at = now + pause
                self.tell(f"{child.name} ended with code {code}; it starts again in {pause:.0f} s.")
            elif now >= child.restart_at:
                child.process = _spawn(child.argv, child.env, child.log)
                child.started, child.restart_at = now, None

    def stop(self, *names: str, grace: float = 60.0) -> None:
        """Ask the named children (all without names) to stop, wait for them, end what is left after `grace` seconds."""
        leaving = [self.children.pop(name) for name in names or list(self.children) if name in self.children]
        for child in leaving:
            if child.process.poll() is None:
                # To the main process only: workers that got it too would die in the middle of a task.
                child.process.terminate()
        deadline = time.monotonic() + grace
        for child in leaving:
            try:
                child.process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.tell(f"{child.name} did not stop within {grace:.0f} s and was ended.")
            _kill_group(child.process.pid)
            child.process.wait()


def _spawn(argv: Sequence[str], env: Mapping[str, str], log: Path | None) -> subprocess.Popen[bytes]:
    with ExitStack() as stack:
        output = stack.enter_context(log.open("ab")) if log else None
        # A session of its own: Ctrl-C reaches only us, and the whole family can be ended by its group.
        return subprocess.Popen(
            list(argv),
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_leave_with_parent,
        )


def _leave_with_parent() -> None:
    """When the parent is killed without a chance to stop its children, the kernel asks them to."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
