"""Web server and cluster as children of one command, and waiting until they answer."""

from __future__ import annotations

import socket
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from sync.processes import MANAGE, ProcessGroup

FIRST_WEB_PORT = 8000
PORTS_TRIED = 20
LAST_PORT = 65_535


class NotStarted(Exception):
    """A part of the stack did not come up; the text says which and where its output is."""


def logs_begin() -> None:
    """The parts append to their logs; a new start begins new ones."""
    for log in log_dir().glob("*.log"):
        log.unlink()


def log_dir() -> Path:
    path: Path = settings.VAR_DIR / "log"
    path.mkdir(parents=True, exist_ok=True)
    return path


def port_number(text: str) -> int:
    """For a command's option; argparse shows the text of the error."""
    if not text.isdigit() or not 1 <= int(text) <= LAST_PORT:
        raise ArgumentTypeError(f"{text!r} is not a port: a whole number from 1 to {LAST_PORT}.")
    return int(text)


def web_port(wanted: int | None) -> int:
    """The wanted port, or the first free one from 8000 on. Raises NotStarted when the wanted one is taken."""
    for port in [wanted] if wanted else range(FIRST_WEB_PORT, FIRST_WEB_PORT + PORTS_TRIED):
        with socket.socket() as probe:
            # As the web server does: the remains of closed connections do not hold the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if _binds(probe, port):
                return port
    raise NotStarted(f"Port {wanted or FIRST_WEB_PORT} is in use. Choose another with --port.")


def _binds(probe: socket.socket, port: int) -> bool:
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def web_start(group: ProcessGroup, *, port: int) -> None:
    argv = [
        *[sys.executable, "-m", "gunicorn", "project88.wsgi"],
        *["--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "4", "--access-logfile", "-"],
        *["--logger-class", "project88.access_log.AccessLogger"],
        # The heartbeat of its workers is a file; memory does not wait for a busy disk.
        *(["--worker-tmp-dir", "/dev/shm"] if Path("/dev/shm").is_dir() else []),  # noqa: S108
    ]
    log = log_dir() / "web.log"
    group.start("web server", argv, log=log)
    wait_for_port(group, "web server", port=port, log=log)


def cluster_start(group: ProcessGroup) -> None:
    group.start("cluster", [*MANAGE, "cluster"], log=log_dir() / "cluster.log")


def wait_for_port(group: ProcessGroup, name: str, *, port: int, log: Path, seconds: float = 45.0) -> None:
    """Raises NotStarted when nobody listens within `seconds` or the child ended."""
    wait_until(lambda: _answers(port), group, name, log=log, seconds=seconds)


def wait_until(ready: Callable[[], bool], group: ProcessGroup, name: str, *, log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        code = group.children[name].process.poll()
        if code is not None:
            raise NotStarted(f"The {name} ended with code {code}. What it said: {log}")
        if time.monotonic() > deadline:
            raise NotStarted(f"The {name} did not answer within {seconds:.0f} s. What it said: {log}")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
