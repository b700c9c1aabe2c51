"""Findings and checks as pages show them: a word, an icon and a kind beside the sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sync.core.findings import Finding, Severity
from sync.core.readiness import RACE_WORDS, Check, Readiness, State
from sync.web.words import Kind

KIND_OF_STATE = {State.OK: Kind.GOOD, State.LOOK: Kind.WARN, State.PROBLEM: Kind.BAD}
STATE_OF_SEVERITY = {Severity.LOOK: State.LOOK, Severity.PROBLEM: State.PROBLEM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`name`: what it is about; `word`: ok, look or problem, which `kind` and `icon` repeat."""

    name: str
    word: str
    kind: Kind
    icon: str
    text: str
    what_to_do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessView:
    word: str
    kind: Kind
    icon: str
    open_lines: tuple[Line, ...]
    ok_lines: tuple[Line, ...]


def doubt_lines(findings: Iterable[Finding]) -> tuple[Line, ...]:
    return tuple(
        _line(finding.kind.value.capitalize(), STATE_OF_SEVERITY[finding.severity], finding.text, finding.what_to_do)
        for finding in findings
    )


def readiness_view(found: Readiness) -> ReadinessView:
    return ReadinessView(
        word=RACE_WORDS[found.state],
        kind=KIND_OF_STATE[found.state],
        icon=_icon(found.state),
        open_lines=_checks(found.open_ones),
        ok_lines=_checks(check for check in found.checks if check.state is State.OK),
    )


def _checks(checks: Iterable[Check]) -> tuple[Line, ...]:
    return tuple(_line(check.name, check.state, check.text, check.what_to_do) for check in checks)


def _line(name: str, state: State, text: str, what_to_do: str) -> Line:
    kind = KIND_OF_STATE[state]
    return Line(name=name, word=state.value, kind=kind, icon=_icon(state), text=text, what_to_do=what_to_do)


def _icon(state: State) -> str:
    return "check" if state is State.OK else "alert"
