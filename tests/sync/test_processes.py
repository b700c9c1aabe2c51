from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from sync.processes import ProcessGroup

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def told():
    return []


@pytest.fixture
def group(told):
    group = ProcessGroup(tell=told.append)
    yield group
    group.stop(grace=5)


def wait_for(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)


def test_a_child_that_dies_is_started_again_and_people_are_told(group, told):
    child = group.start("sleeper", SLEEPER)
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: child.process.poll() is not None)
    group.look()
    assert told == ["sleeper ended with code -9; it starts again in 1 s."]

    def is_back():
        group.look()
        return child.process.pid != first

    wait_for(is_back)
    assert child.process.poll() is None


def test_a_child_that_dies_at_once_again_and_again_is_given_longer_pauses(group, told):
    child = group.start("broken", [sys.executable, "-c", "raise SystemExit(4)"])
    for _ in range(3):
        wait_for(lambda: child.process.poll() is not None)
        group.look()
        child.restart_at = 0.0
        group.look()
    assert [text.rsplit("in ", 1)[1] for text in told] == ["1 s.", "2 s.", "5 s."]


def test_stopping_asks_first_and_ends_what_does_not_listen(group, told, tmp_path):
    mark = tmp_path / "asked"
    deaf = (
        "import signal, time, pathlib\n"
        f"signal.signal(signal.SIGTERM, lambda *_: pathlib.Path({str(mark)!r}).touch())\n"
        f"pathlib.Path({str(tmp_path / 'ready')!r}).touch()\n"
        "time.sleep(60)\ntime.sleep(60)\n"
    )
    child = group.start("deaf", [sys.executable, "-c", deaf])
    wait_for((tmp_path / "ready").exists)
    group.stop("deaf", grace=1)
    assert mark.exists()
    assert child.process.poll() == -signal.SIGKILL
    assert "did not stop" in told[0]


def test_what_a_child_started_goes_with_it(group, tmp_path):
    pid_file = tmp_path / "pid"
    parent = (
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    group.start("family", [sys.executable, "-c", parent])
    wait_for(lambda: pid_file.exists() and pid_file.read_text())
    grandchild = int(pid_file.read_text())
    group.stop()
    wait_for(lambda: not _runs(grandchild))


def _runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    # A zombie has ended; only its reaper has not looked yet.
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
