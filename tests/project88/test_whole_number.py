"""CALLS_AT_ONCE and its like: a count that cannot be meant stops the start and says what to write."""

from __future__ import annotations

import os
import subprocess

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from project88 import environment
from sync.processes import MANAGE


def read() -> int:
    return environment.whole_number("CALLS_AT_ONCE", default=16, least=1, most=1000, hint="the most calls at once.")


@pytest.mark.parametrize(("value", "meant"), [("", 16), (" 4 ", 4), ("1", 1), ("1000", 1000), ("016", 16)])
def test_a_count_is_read_and_a_missing_one_takes_its_default(monkeypatch, value, meant):
    monkeypatch.setenv("CALLS_AT_ONCE", value)
    assert read() == meant


@pytest.mark.parametrize("value", ["0", "-1", "+4", "1001", "2.5", "1e3", "1_6", "١٦", "many", "16 calls", "9" * 30])
def test_a_bad_count_is_refused_with_what_to_write(monkeypatch, value):
    monkeypatch.setenv("CALLS_AT_ONCE", value)
    with pytest.raises(ImproperlyConfigured) as refusal:
        read()
    assert str(refusal.value) == (
        f"CALLS_AT_ONCE is {value!r}. Write a whole number from 1 to 1000: the most calls at once."
    )


def test_a_bad_count_stops_the_start():
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "project88.settings", "CALLS_AT_ONCE": "many"}
    ended = subprocess.run([*MANAGE, "check"], env=environ, capture_output=True, text=True, cwd=settings.BASE_DIR)
    assert ended.returncode != 0
    assert "CALLS_AT_ONCE is 'many'. Write a whole number from 1 to 1000: the most calls to RunSignUp" in ended.stderr
