"""`make audit` tells vulnerabilities from a network that is not there."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / ".ci" / "audit.py"
SAFE = {"name": "django", "version": "5.2.8", "vulns": []}
SKIPPED = {"name": "django", "skip_reason": "Dependency not found and could not be audited"}
KNOWN = {"name": "leaky", "version": "1.0", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"]}]}


@pytest.fixture
def judge():
    spec = importlib.util.spec_from_file_location("audit", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.judge


def test_a_known_vulnerability_stops_the_landing_and_is_named(judge, capsys):
    assert judge(json.dumps({"dependencies": [SAFE, KNOWN]}), "Found 1 known vulnerability") == 1
    assert "leaky 1.0: PYSEC-2026-1, fixed in 1.1" in capsys.readouterr().out


def test_no_vulnerability_is_no_finding(judge, capsys):
    assert judge(json.dumps({"dependencies": [SAFE]}), "") == 0
    assert "1 packages audited, 0 known" in capsys.readouterr().out


@pytest.mark.parametrize("answer", ["", "null", "{}", "<html>"])
def test_without_the_advisories_it_goes_on_and_says_so_loudly(judge, capsys, answer):
    assert judge(answer, "Traceback\nConnectionError: no route to host") == 0
    said = capsys.readouterr().out
    assert "WERE NOT AUDITED" in said
    assert "no route to host" in said


def test_a_mirror_without_advisories_is_no_all_clear(judge, capsys):
    assert judge(json.dumps({"dependencies": [SKIPPED, SKIPPED]}), "No known vulnerabilities found") == 0
    assert "WERE NOT AUDITED" in capsys.readouterr().out

    assert judge(json.dumps({"dependencies": [SKIPPED, SAFE]}), "") == 0
    assert "!!! django was not audited" in capsys.readouterr().out
