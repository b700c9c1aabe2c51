"""`manage.py sandbox` as somebody types it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import execute_from_command_line

ROOT = Path(__file__).resolve().parents[3]
SMALL = ("--keys", "2", "--races", "4", "--events", "8", "--participants", "50", "--anchor", "2026-06-06T10:00Z")


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), "sandbox", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DEBUG": "true", "COLUMNS": "120"}
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60, env=environment, check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_until_it_is_told_to_stop(number: int):
    process = subprocess.Popen(
        command("--port", "0", *SMALL), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"DEBUG": "true", "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("The sandbox answers at http://127.0.0.1:")
        root = line.split()[-1].removesuffix("/rest")
        with urllib.request.urlopen(f"{root}/sandbox/keys", timeout=10) as answer:
            keys = json.load(answer)
        assert [key["key"] for key in keys] == ["sandbox-key-01", "sandbox-key-02"]
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert output.endswith("The sandbox has stopped.\n")
    assert errors == ""


@pytest.fixture
def typed(capsys, monkeypatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """What the same command says and ends with when it ends at once, without the second that a process takes."""
    monkeypatch.setenv("COLUMNS", "120")

    def run_here(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = ["manage.py", "sandbox", *arguments]
        with pytest.raises(SystemExit) as ended:
            execute_from_command_line(words)
        said = capsys.readouterr()
        return subprocess.CompletedProcess(words, ended.value.code, said.out, said.err)

    return run_here


def test_help_names_every_option_and_its_default(typed):
    shown = typed("--help").stdout
    for option in (
        "--port",
        "--seed",
        "--world",
        "--keys",
        "--races",
        "--events",
        "--participants",
        "--latency",
        "--life",
        "--anchor",
    ):
        assert option in shown
    assert "RUNSIGNUP_URL" in shown
    assert "default: 8089" in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--port", "x"), "'x' is not a whole number"),
        (("--port", "70000"), "70000 is not between 0 and 65535"),
        (("--world", "saturday", "--races", "5"), "has its own number of races: leave out --races"),
        (("--races", "5"), "13 keys need at least 13 races, not 5"),
        (("--events", "9999"), "between 57 and 285 events to come, not 9999"),
        (("--latency", "-1"), "-1 is not between 0 and"),
        (("--life", "lots"), "'lots' is not a number"),
        (("--anchor", "tomorrow"), "'tomorrow' is not an ISO time"),
        (("--anchor", "2026-06-06T10:00"), "says no time zone"),
    ],
)
def test_a_bad_value_is_a_clear_sentence_and_exit_code_2(typed, arguments: tuple[str, ...], sentence: str):
    refused = typed(*arguments)
    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_world_that_there_is_not_is_refused_with_the_list(typed):
    refused = typed("--world", "sunday")
    assert refused.returncode == 2
    assert "'sunday'" in refused.stderr
    assert all(name in refused.stderr for name in ("morning", "saturday"))


def test_a_port_in_use_is_a_clear_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run("--port", str(port), *SMALL)
    assert refused.returncode == 1
    assert f"Port {port} is in use" in refused.stderr
    assert "Traceback" not in refused.stderr
