"""What the history of runs is filtered by: GET parameters read strictly, and each bad one answered in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta

from django.http import QueryDict
from django.utils.http import urlencode

from partners.models import TimingPartner
from races.models import Event
from sync.models import BAD_OUTCOMES, Cycle, Tier
from sync.web.run_history import LAST_PK, Position, Wanted
from sync.web.words import OUTCOMES, TRIGGERS

PROBLEM = "problem"
RUNNING = "running"
SHOWN_CHARACTERS = 40

OUTCOME_CHOICES: dict[str, str] = {
    PROBLEM: "Any problem",
    RUNNING: OUTCOMES[""][0],
    **{value: word for value, (word, _kind) in OUTCOMES.items() if value},
}
TIER_CHOICES: dict[str, str] = {tier.value: tier.value for tier in Tier}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The parameters as they were typed; "" means any. `race` and `event` are the provider's ids."""

    partner: str = ""
    race: str = ""
    event: str = ""
    outcome: str = ""
    trigger: str = ""
    tier: str = ""
    begins: str = ""
    ends: str = ""
    cycle: str = ""

    def query(self, **more: str) -> str:
        """For a link that keeps the filters."""
        pairs = [(PARAMETERS.get(field.name, field.name), getattr(self, field.name)) for field in fields(self)]
        return urlencode([(name, value) for name, value in [*pairs, *more.items()] if value])


# "from" is no name in Python.
PARAMETERS = {"begins": "from", "ends": "to"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """`problems`: what is wrong with the parameters, in sentences; while there are any, nothing is looked for."""

    asked: Asked
    wanted: Wanted
    before: Position | None
    problems: tuple[str, ...]


class BadValue(Exception):
    """The text is the sentence for whoever typed the value."""


def filters_read(query: QueryDict) -> Filters:
    asked = Asked(**{field.name: _typed(query, PARAMETERS.get(field.name, field.name)) for field in fields(Asked)})
    problems: list[str] = []
    values: dict[str, object] = {}
    for name, read in {
        "event_ids": lambda: _event_ids(asked),
        "cycle_id": lambda: _cycle_id(asked.cycle),
        "outcomes": lambda: _outcomes(asked.outcome),
        "trigger": lambda: _choice(asked.trigger, TRIGGERS, what="way of being asked for"),
        "tier": lambda: _choice(asked.tier, TIER_CHOICES, what="tier"),
        "begins": lambda: moment_read(asked.begins, name="From"),
        "ends": lambda: moment_read(asked.ends, name="To", is_end=True),
        "before": lambda: position_read(_typed(query, "before")),
    }.items():
        try:
            values[name] = read()
        except BadValue as problem:
            problems.append(str(problem))
    begins, ends = values.get("begins"), values.get("ends")
    if isinstance(begins, datetime) and isinstance(ends, datetime) and begins >= ends:
        problems.append("“From” is not before “To”, so no run can lie between them.")
    before = values.pop("before", None)
    return Filters(
        asked=asked,
        wanted=Wanted() if problems else Wanted(**values),  # type: ignore[arg-type]
        before=before if isinstance(before, Position) else None,
        problems=tuple(problems),
    )


def position_text(position: Position) -> str:
    """For the link to what is older."""
    return f"{position.started_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}-{position.pk}"


def position_read(text: str) -> Position | None:
    """Raises BadValue."""
    if not text:
        return None
    at, _dash, pk = text.partition("-")
    try:
        position = Position(started_at=datetime.strptime(at, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC), pk=_number(pk))
    except ValueError:
        raise BadValue("The link to older rows is damaged. Begin again with the newest.") from None
    return position


def moment_read(text: str, *, name: str, is_end: bool = False) -> datetime | None:
    """A moment in UTC; a day alone is its beginning, or as an end all of it. Raises BadValue."""
    if not text:
        return None
    try:
        if len(text) == len("2026-06-06"):
            day = datetime.combine(date.fromisoformat(text), time(0, 0), UTC)
            return day + timedelta(days=1) if is_end else day
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadValue(f"“{name}” is not a time: {_quoted(text)}. Write it like 2026-06-06 08:00; it is UTC.") from None


def _typed(query: Mapping[str, str], name: str) -> str:
    return query.get(name, "").replace("\x00", "").strip()


def _quoted(text: str) -> str:
    return f"“{text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + '…'}”"


def _number(text: str) -> int:
    """Raises ValueError for what is no id."""
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > LAST_PK:
        raise ValueError(text)
    return int(text)


def _choice(text: str, choices: Mapping[str, str], *, what: str) -> str | None:
    if text and text not in choices:
        raise BadValue(f"There is no {what} {_quoted(text)}. Choose one of the list.")
    return text or None


def _outcomes(text: str) -> tuple[str, ...] | None:
    choice = _choice(text, OUTCOME_CHOICES, what="outcome")
    if choice == PROBLEM:
        return tuple(outcome.value for outcome in BAD_OUTCOMES)
    if choice == RUNNING:
        return ("",)
    return None if choice is None else (choice,)


def _event_ids(asked: Asked) -> tuple[int, ...] | None:
    """The events of partner, race and event together; None when none of them is asked for. Raises BadValue."""
    events = Event.objects.all()
    if asked.partner:
        partner = TimingPartner.objects.filter(slug=asked.partner).first()
        if partner is None:
            raise BadValue(f"There is no timing partner {_quoted(asked.partner)}. Choose one of the list.")
        events = events.filter(race__partner=partner)
    if asked.race:
        events = events.filter(race__provider_race_id=_id(asked.race, what="race"))
    if asked.event:
        events = events.filter(provider_event_id=_id(asked.event, what="event"))
    if not (asked.partner or asked.race or asked.event):
        return None
    found = tuple(events.values_list("pk", flat=True))
    if not found and (asked.race or asked.event):
        raise BadValue(_nothing_of(asked))
    return found


def _nothing_of(asked: Asked) -> str:
    what = " with ".join(
        part
        for part in (
            f"event {_quoted(asked.event)}" if asked.event else "",
            f"race {_quoted(asked.race)}" if asked.race else "",
        )
        if part
    )
    of = " of this partner" if asked.partner else ""
    return f"No {what}{of} is known. Ids are the numbers in RunSignUp's addresses."


def _id(text: str, *, what: str) -> int:
    try:
        return _number(text)
    except ValueError:
        raise BadValue(f"{_quoted(text)} is not the id of {_article(what)}: it is a whole number.") from None


def _article(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def _cycle_id(text: str) -> int | None:
    if not text:
        return None
    pk = _id(text, what="cycle")
    if not Cycle.objects.filter(pk=pk).exists():
        raise BadValue(f"There is no cycle {pk}. Cycles are found on the page of the cycles.")
    return pk
