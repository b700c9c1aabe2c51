"""A mistake in a setting or a database that is not there ends with one sentence, not with a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError

from project88.plain_errors import plain_errors

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
GOOD = {"DEBUG": "true", "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing"}


def manage(*argv: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "project88.settings", **GOOD, **variables}
    return subprocess.run(
        [sys.executable, str(MANAGE), *argv], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DEBUG": "ture"}, "DEBUG is 'ture'. Write true or false."),
        ({"DATABASE_URL": "foo"}, "DATABASE_URL must be postgresql://"),
        ({"DATABASE_URL": "mysql://a@b/c"}, "DATABASE_URL must be postgresql://"),
        ({"DATABASE_URL": "postgre://a:secret@h/c"}, "DATABASE_URL must be postgresql://"),
        ({"DATABASE_URL": "postgresql://a:secret@h:abc/c"}, "DATABASE_URL must be postgresql://"),
        ({"RUNSIGNUP_URL": "http://example.org/rest"}, "is refused"),
        ({"RUNSIGNUP_REG": "1.x", "RUNSIGNUP_REG_SECRET": ""}, "RUNSIGNUP_REG_SECRET is not set"),
        ({}, "The database does not answer"),
    ],
)
def test_a_command_that_cannot_work_here_says_why_in_one_sentence(variables, said):
    ended = manage("cycle", **variables)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "secret" not in ended.stderr.replace("REG_SECRET", "").replace("and a secret", "")


def test_a_wrong_port_is_said_by_its_option():
    ended = manage("run", "--port", "99999")
    assert ended.returncode == 2
    assert "'99999' is not a port" in ended.stderr


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ImproperlyConfigured("X is not set."), 1, "Project88 cannot start: X is not set."),
        (OperationalError("connection refused\nmore"), 1, "The database does not answer: connection refused."),
        (ProgrammingError('relation "sync_cycle" does not exist'), 1, "run manage.py migrate"),
        (KeyboardInterrupt(), 130, "Interrupted."),
    ],
)
def test_each_trouble_has_its_sentence_and_exit_code(error, code, said, capsys):
    with pytest.raises(SystemExit) as ended, plain_errors():
        raise error
    assert ended.value.code == code
    assert said in capsys.readouterr().err


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), plain_errors():
        raise ZeroDivisionError
