"""The filter of an event's run history: by outcome and by what asked for the run."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.http import urlencode

from sync.core.explanation import GOOD
from sync.models import Outcome, SyncRun
from sync.web.words import OUTCOMES, TRIGGERS

PROBLEM = "problem"
RUNNING = "running"
OUTCOME_WORDS: dict[str, str] = {
    PROBLEM: "Any problem",
    RUNNING: OUTCOMES[""][0],
    **{value: word for value, (word, _kind) in OUTCOMES.items() if value},
}
BAD = [outcome.value for outcome in Outcome if outcome.value not in GOOD]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    value: str
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A selection of the form; `value`: what is selected, "" for all."""

    name: str
    label: str
    value: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """`outcome`, `trigger`: "" for any."""

    outcome: str = ""
    trigger: str = ""

    def of(self, runs: QuerySet[SyncRun]) -> QuerySet[SyncRun]:
        """Those of one event's runs: all of them are a range of one index."""
        if self.trigger:
            runs = runs.filter(trigger=self.trigger)
        if self.outcome == PROBLEM:
            return runs.filter(outcome__in=BAD)
        if self.outcome == RUNNING:
            return runs.filter(outcome="")
        return runs.filter(outcome=self.outcome) if self.outcome else runs

    @property
    def is_set(self) -> bool:
        return bool(self.outcome or self.trigger)

    @property
    def words(self) -> str:
        chosen = (OUTCOME_WORDS.get(self.outcome, ""), TRIGGERS.get(self.trigger, ""))
        return ", ".join(word for word in chosen if word)

    @property
    def choices(self) -> tuple[Choice, ...]:
        return (
            _choice("outcome", "Outcome", self.outcome, OUTCOME_WORDS),
            _choice("trigger", "Asked by", self.trigger, TRIGGERS),
        )

    @property
    def rest(self) -> str:
        """For the links to the other pages: what keeps the filter, and the place on the page."""
        pairs = [(name, value) for name, value in (("outcome", self.outcome), ("trigger", self.trigger)) if value]
        return f"{'&' if pairs else ''}{urlencode(pairs)}#history"


ANY_RUN = RunFilter()


def run_filter(*, outcome: str, trigger: str) -> RunFilter:
    """As the address asks; what there is not is any."""
    return RunFilter(
        outcome=outcome if outcome in OUTCOME_WORDS else "", trigger=trigger if trigger in TRIGGERS else ""
    )


def _choice(name: str, label: str, value: str, words: dict[str, str]) -> Choice:
    options = tuple(Option(value=option, word=word) for option, word in words.items())
    return Choice(name=name, label=label, value=value, options=options)
