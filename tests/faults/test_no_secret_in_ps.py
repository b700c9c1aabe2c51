"""Row 33: what `ps` shows of our processes holds no secret, in the moment in which they use all of them."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from sync.processes import MANAGE
from tests.e2e.conftest import child_environment
from tests.faults.canary_search import command_lines
from tests.partners.runsignup.loopback import Handler, Loopback, loopback

pytestmark = pytest.mark.django_db(transaction=True)

SECRET, REG_SECRET, SECRET_KEY = "ps-secret-7f3a9b21c0de", "ps-registration-55c0a1b2c3d4", "ps-django-key-0d9e8f7a6b5c"


@contextmanager
def a_process(server: Loopback) -> Iterator[SimpleNamespace]:
    """`manage.py onboard` while it waits for the provider's answer, with all secrets in its hands."""
    environment = child_environment(RUNSIGNUP_URL=server.url, RUNSIGNUP_REG="9.t", RUNSIGNUP_REG_SECRET=REG_SECRET)
    environment["SECRET_KEY"] = SECRET_KEY
    command = [*MANAGE, "onboard", "Ridgeline Timing", "--api-key", "a-key", "--api-secret-stdin"]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = SimpleNamespace(text="")
    try:
        process.stdin.write(SECRET)
        process.stdin.close()
        process.stdin = None
        yield said
        said.text = process.communicate(timeout=30)[0]
    finally:
        process.kill()
        process.wait()


def test_fault_33_no_process_shows_a_secret_in_its_command_line():
    arrived, go_on = threading.Event(), threading.Event()

    def waits(handler: Handler) -> None:
        arrived.set()
        go_on.wait(20)
        handler.answer(b'{"error":{"error_code":6,"error_msg":"No"}}')

    with loopback(waits) as server, a_process(server) as said:
        assert arrived.wait(30)
        lines = list(command_lines())
        go_on.set()
    assert any("onboard Ridgeline Timing" in line for line in lines)
    assert server.seen[0][1]["X-RSU-API-SECRET"] == SECRET
    assert "Nothing was stored." in said.text
    for secret in (SECRET, REG_SECRET, SECRET_KEY):
        assert [line for line in [*lines, said.text] if secret in line] == []
