"""Real processes on the test database, the sandbox in this process and clusters as their own; and a real browser."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from playwright.sync_api import Browser, sync_playwright

from partners.gate import database_now
from partners.runsignup.sandbox import SandboxServer, build_world
from partners.runsignup.sandbox.saturday import LATENCY, build_saturday
from sync.demo.people import partners_onboard
from sync.demo.sandbox_control import SandboxControl
from sync.processes import MANAGE
from sync.services.discovery import discovery_run
from tests.e2e.visitor import Visitor

CHROMIUM = "/usr/bin/chromium"
_never = threading.Event()


def wait_for(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    """Look again and again until it holds; fail with `what` when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still not: {what}"
        _never.wait(0.2)


def child_environment(**more: str) -> dict[str, str]:
    """What a child process needs to work on this test's database and sandbox."""
    name = connection.settings_dict["NAME"]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "project88.settings",
        "DEBUG": "true",
        "RUNSIGNUP_URL": settings.RUNSIGNUP_URL,
        **more,
    }
    url = os.environ.get("DATABASE_URL", "")
    if url:
        environment["DATABASE_URL"] = url.rsplit("/", 1)[0] + f"/{name}"
    else:
        environment["EMBEDDED_DATABASE"] = name
    return environment


class ClusterProcess:
    """`manage.py cluster` as somebody would start it, in a session of its own."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*MANAGE, "cluster"],
                env=child_environment(),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def family(self) -> list[int]:
        """The pids of the command and of all that descend from it, parents first."""
        found = [self.process.pid]
        for pid in found:
            found += children_of(pid)
        return [pid for pid in found if Path(f"/proc/{pid}").exists()]

    def queue_mains(self) -> dict[str, int]:
        """The main process of each queue."""
        mains = {}
        for pid in children_of(self.process.pid):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"--queue" in words:
                mains[words[words.index(b"--queue") + 1].decode()] = pid
        return mains

    def kill_all(self) -> None:
        """kill -9 of everything at once, as when the machine loses its power."""
        for pid in self.family():
            os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=10)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=60)


def children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


@pytest.fixture
def start_cluster(transactional_db, tmp_path) -> Iterator[Callable[[], ClusterProcess]]:
    started: list[ClusterProcess] = []

    def start() -> ClusterProcess:
        started.append(ClusterProcess(tmp_path / f"cluster-{len(started)}.log"))
        return started[-1]

    yield start
    for cluster in started:
        if cluster.process.poll() is None:
            cluster.kill_all()
        print(cluster.log.read_text())


@pytest.fixture
def sandbox(transactional_db, settings) -> Iterator[SandboxControl]:
    """A small world, onboarded and discovered; slow enough that calls are in flight when something is killed."""
    world = build_world(seed=7, keys=4, races=14, events=40, participants=2500)
    with SandboxServer(world, port=0, latency=0.3, life=240.0) as server:
        yield onboarded(server, settings)


@pytest.fixture
def saturday(transactional_db, settings) -> Iterator[SandboxControl]:
    """120 events HIGH at once on 13 keys, onboarded and discovered; from then on a call takes 1.5 s."""
    world = build_saturday(seed=7, participants=7000)
    with SandboxServer(world, port=0, life=60.0) as server:
        control = onboarded(server, settings)
        server.latency = LATENCY
        yield control


def onboarded(server: SandboxServer, settings) -> SandboxControl:
    """All keys of the sandbox as partners, with their races."""
    settings.RUNSIGNUP_URL = server.url
    control = SandboxControl(server.root)
    for credential in partners_onboard(control.keys(), tell=lambda _line: None):
        discovery_run(credential_id=credential.pk, now=database_now())
    return control


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests: to start one costs more than most of them."""
    with pytest.MonkeyPatch.context() as patch:
        # Playwright's loop runs in this thread; Django would refuse every query beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            yield browser
            browser.close()


@pytest.fixture
def visit(browser, live_server) -> Iterator[Callable[..., Visitor]]:
    """`visit(user, **options of the browser's context)`: somebody, logged in or not, in a browser of their own."""
    visitors: list[Visitor] = []

    def begun(user=None, **options) -> Visitor:
        visitors.append(Visitor(browser.new_context(**options), live_server.url, user))
        return visitors[-1]

    yield begun
    for visitor in visitors:
        visitor.leave()
