"""What "Test key" answers: what a key sees, or which of the things that can be wrong it is and what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from django.conf import settings

from partners.credential_problems import CredentialProblem
from partners.documents import CredentialReport

NAMED_RACES = 8
REGISTRATION_SET = "set"
REGISTRATION_MISSING = (
    "not set. RunSignUp demands it from 2027-01-01 on: register on its page “API Keys”, then set RUNSIGNUP_REG and "
    "RUNSIGNUP_REG_SECRET"
)
READABLE = {
    True: "readable",
    False: "not readable: ask the race's director to give your company access",
    None: "not tried, because no event is to come",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTest:
    """`verdict`: the answer in few words; `text`: in a sentence, with what to do; `facts`: what was asked and what came
    back. `races`: the next ones by name, `races_left` are not named."""

    kind: Literal["good", "warn", "bad"]
    verdict: str
    text: str
    facts: tuple[tuple[str, str], ...]
    races: tuple[str, ...] = ()
    races_left: int = 0


def key_test(ask: Callable[[], CredentialReport]) -> KeyTest:
    """The answer of `ask`, which raises CredentialProblem. It calls the provider: not inside a transaction."""
    registration = "Caller registration", REGISTRATION_SET if settings.RUNSIGNUP_REG else REGISTRATION_MISSING
    try:
        report = ask()
    except CredentialProblem as problem:
        kind: Literal["warn", "bad"] = "bad" if problem.refused else "warn"
        return KeyTest(kind=kind, verdict=problem.verdict, text=problem.text, facts=(registration,))
    names = [name for _race_id, name in report.upcoming_races]
    works = report.participants_readable is not False
    return KeyTest(
        kind="good" if works else "warn",
        verdict="The key works" if works else "The key works in part",
        text=report.detail,
        facts=(
            ("Races", str(report.races)),
            ("Upcoming events", str(report.upcoming_events)),
            ("Participants", READABLE[report.participants_readable]),
            registration,
        ),
        races=tuple(names[:NAMED_RACES]),
        races_left=max(0, len(names) - NAMED_RACES),
    )
