"""A policy that cannot work is refused with sentences that say what would."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sync.core.policy import DEFAULT_POLICY, policy_problems


def with_rule(tier: str, **changes):
    return replace(DEFAULT_POLICY, **{tier: replace(getattr(DEFAULT_POLICY, tier), **changes)})


def seconds(number: int) -> timedelta:
    return timedelta(seconds=number)


def test_the_defaults_work():
    assert policy_problems(DEFAULT_POLICY) == []


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (with_rule("medium", period=seconds(400)), "HIGH's period 60 s must divide MEDIUM's 400 s"),
        (with_rule("medium", period=seconds(420)), "MEDIUM's period 420 s must divide LOW's 3600 s"),
        (with_rule("high", period=seconds(600)), "HIGH's period 600 s must be shorter than MEDIUM's 300 s"),
        (with_rule("high", period=seconds(0)), "HIGH's period must be at least a second"),
        (with_rule("high", lead=timedelta(hours=30)), "HIGH's lead 30 h must be shorter than MEDIUM's 24 h"),
        (with_rule("high", lead=timedelta(0)), "need a lead above zero"),
        (with_rule("low", cap=0), "LOW's cap must be at least 1"),
        (replace(DEFAULT_POLICY, after_start=seconds(-1)), "must not end before the start"),
        (replace(DEFAULT_POLICY, cycle=seconds(7)), "must divide a minute"),
        (
            replace(with_rule("high", period=seconds(20)), cycle=seconds(30)),
            "must not be longer than HIGH's period",
        ),
        (
            replace(DEFAULT_POLICY, reserves={"HIGH": 0, "MEDIUM": 9, "LOW": 7, "background": 11}),
            "must grow from MEDIUM over LOW",
        ),
        (
            replace(DEFAULT_POLICY, reserves={"HIGH": 0, "MEDIUM": 3, "LOW": 7, "background": 20}),
            "never has more than 20",
        ),
    ],
)
def test_what_cannot_work_is_said(policy, said):
    assert any(said in problem for problem in policy_problems(policy))
