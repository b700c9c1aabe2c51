"""What looks wrong with an event although every sync is good: said aloud, with the reason and what to do. Pure.

Better a doubt too few than one too many: what is said every day is not read on the day that it matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sync.core.policy import Policy
from sync.core.tiers import PLACEHOLDER_EARLIEST, PLACEHOLDER_LATEST, StartWindow, finished_after
from sync.core.time_words import Clock, counted, span_words

# Silence: shorter than a week may be a holiday; and at the pace of the weeks before it so many people would have come
# in that chance leaves nobody once in 20,000 times. A small event has to be silent for months before that.
SILENT_FOR = timedelta(days=7)
SILENT_EXPECTED = 10.0
# Two days of hourly syncs and more: fewer good ones, and it is the syncs that are missing, which the status says.
SILENT_SYNCS = 50
PACE_OVER = timedelta(days=28)
# A year that was mistyped is off by one at least; people register after a start only when that start is wrong.
PAST_BY = timedelta(days=330)
FUTURE_BY = timedelta(days=2 * 365)
SHOWN = 5
MOVED_SAID_FOR = timedelta(hours=36)


class FindingKind(StrEnum):
    START_MISSING = "start missing"
    ZONE_UNKNOWN = "zone unknown"
    START_WITHOUT_TIME = "start without a time of day"
    START_MOVED = "start moved"
    START_IN_THE_PAST = "start in the past"
    START_FAR_AWAY = "start far away"
    SILENCE = "silence"
    COUNTS_DIFFER = "counts differ"
    DUPLICATE_BIB = "duplicate bib"
    SAME_PERSON = "same person twice"


class Severity(StrEnum):
    """PROBLEM: wrong, somebody must act. LOOK: it may be meant."""

    LOOK = "look"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    kind: FindingKind
    severity: Severity
    text: str
    what_to_do: str
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFacts:
    """A start as the provider gives it. `window` None: unusable; `zone`: the provider's name for it; `zone_known`:
    whether it is one; `registration_opens_at`, `newest_registration`: when people could and did register."""

    starts_at: datetime | None
    window: StartWindow | None
    is_placeholder: bool
    zone: str
    zone_known: bool
    zone_taken: str
    moved_from: datetime | None
    moved_at: datetime | None
    registration_opens_at: datetime | None
    newest_registration: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Since the last change: `good_syncs` (counted no further than needed); `before`: people who registered in the
    PACE_OVER before it."""

    since: datetime
    good_syncs: int
    before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The last full comparison: how many people the provider listed, and how many the mirror had afterwards.
    `explained`: rows that could not be stored, people that are kept although not listed, removals that wait for a
    person: these are said elsewhere."""

    at: datetime
    listed: int
    mirror: int
    explained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """What is there more than once: how many such things, and the first few as people know them."""

    count: int = 0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtFacts:
    """What is known of one event. `silence` None: it changed lately, or its registration is closed."""

    start: StartFacts
    registration_open: bool
    silence: Silence | None = None
    comparison: Comparison | None = None
    bibs: Repeats = field(default_factory=Repeats)
    people: Repeats = field(default_factory=Repeats)


def findings(facts: DoubtFacts, *, clock: Clock, policy: Policy) -> tuple[Finding, ...]:
    """The problems first. Of an event that is over only what makes its being over doubtful."""
    found = start_findings(facts.start, clock=clock, policy=policy)
    if not is_over(facts.start.window, now=clock.now, policy=policy):
        found += [
            finding
            for finding in (
                _silence(facts, clock=clock),
                _comparison(facts.comparison, clock=clock),
                bib_finding(facts.bibs),
                _people(facts.people),
            )
            if finding is not None
        ]
    return tuple(sorted(found, key=lambda finding: finding.severity is Severity.LOOK))


def is_over(window: StartWindow | None, *, now: datetime, policy: Policy) -> bool:
    return window is not None and now > finished_after(window, policy=policy)


def start_findings(start: StartFacts, *, clock: Clock, policy: Policy) -> list[Finding]:
    if start.window is None:
        text = "RunSignUp gives the event no start." if start.starts_at is None else _no_year(start.starts_at)
        return [
            Finding(
                kind=FindingKind.START_MISSING,
                severity=Severity.PROBLEM,
                text=text,
                what_to_do="Set date and time in RunSignUp: until then it is synced every hour only.",
            )
        ]
    past = _past(start, clock=clock)
    if past is not None:
        return [past]
    if is_over(start.window, now=clock.now, policy=policy):
        return []
    found = [_zone(start), _without_time(start), _moved(start, clock=clock), _far(start, clock=clock)]
    return [finding for finding in found if finding is not None]


def _no_year(starts_at: datetime) -> str:
    return f"RunSignUp gives the year {starts_at.year} as the event's start."


def _past(start: StartFacts, *, clock: Clock) -> Finding | None:
    """A start long ago, although people could or did register long after it."""
    assert start.window is not None  # noqa: S101 - asked of a start only
    at = start.window.latest
    if clock.now - at < PAST_BY:
        return None
    known = [at for at in (start.registration_opens_at, start.newest_registration) if at is not None]
    newest = max(known, default=at)
    if newest - at < PAST_BY or newest > clock.now:
        return None
    return Finding(
        kind=FindingKind.START_IN_THE_PAST,
        severity=Severity.PROBLEM,
        text=f"Its start is {clock.day(at)}, but registration went on long after that, until {clock.day(newest)}.",
        what_to_do="Correct the year in RunSignUp: by this start the event is over and is not synced.",
        facts={"start": at, "registration": newest},
    )


def _zone(start: StartFacts) -> Finding | None:
    if start.zone_known:
        return None
    given = f"has the time zone “{start.zone}”, which nobody knows" if start.zone else "has no time zone"
    return Finding(
        kind=FindingKind.ZONE_UNKNOWN,
        severity=Severity.PROBLEM,
        text=f"The race {given}: its start may be hours off. It is taken as {start.zone_taken}.",
        what_to_do="Set the race's time zone in RunSignUp.",
        facts={"zone": start.zone},
    )


def _without_time(start: StartFacts) -> Finding | None:
    if not start.is_placeholder or not start.zone_known:
        return None
    between = f"{PLACEHOLDER_EARLIEST:%H:%M} and {PLACEHOLDER_LATEST:%H:%M}"
    return Finding(
        kind=FindingKind.START_WITHOUT_TIME,
        severity=Severity.PROBLEM,
        text=f"Its start is at 00:00, which stands for “not set”: it is taken as between {between}.",
        what_to_do="Set the time of day in RunSignUp.",
    )


def _moved(start: StartFacts, *, clock: Clock) -> Finding | None:
    if start.moved_at is None or start.moved_from is None or start.window is None:
        return None
    if clock.now - start.moved_at > MOVED_SAID_FOR:
        return None
    before, after = clock.text(start.moved_from), clock.text(start.window.earliest)
    return Finding(
        kind=FindingKind.START_MOVED,
        severity=Severity.LOOK,
        text=f"Its start was moved in RunSignUp from {before} to {after}, seen {clock.text(start.moved_at)}.",
        what_to_do="Make sure that it is meant, and that the crew knows.",
        facts={"from": start.moved_from, "to": start.window.earliest, "seen": start.moved_at},
    )


def _far(start: StartFacts, *, clock: Clock) -> Finding | None:
    if start.window is None or start.window.earliest - clock.now < FUTURE_BY:
        return None
    return Finding(
        kind=FindingKind.START_FAR_AWAY,
        severity=Severity.LOOK,
        text=f"Its start is {clock.day(start.window.earliest)}, more than two years ahead.",
        what_to_do="Make sure that the year is right in RunSignUp.",
    )


def _silence(facts: DoubtFacts, *, clock: Clock) -> Finding | None:
    quiet = facts.silence
    if quiet is None or not facts.registration_open or quiet.good_syncs < SILENT_SYNCS:
        return None
    lasted = clock.now - quiet.since
    expected = quiet.before * (lasted / PACE_OVER)
    if lasted < SILENT_FOR or expected < SILENT_EXPECTED:
        return None
    return Finding(
        kind=FindingKind.SILENCE,
        severity=Severity.LOOK,
        text=f"Registration is open and every sync is good, but nothing changed for {span_words(lasted)}. At the pace "
        f"of the four weeks before, about {expected:,.0f} people would have registered.",
        what_to_do="Compare the number of people with RunSignUp's own report; if it has more, tell whoever runs "
        "Project88.",
        facts={"since": quiet.since, "expected": round(expected), "before": quiet.before},
    )


def _comparison(last: Comparison | None, *, clock: Clock) -> Finding | None:
    if last is None or last.listed == last.mirror or last.explained:
        return None
    off = abs(last.listed - last.mirror)
    who = "RunSignUp" if last.listed > last.mirror else "the mirror"
    return Finding(
        kind=FindingKind.COUNTS_DIFFER,
        severity=Severity.PROBLEM,
        text=f"RunSignUp listed {last.listed:,} people, the mirror had {last.mirror:,} after the full comparison of "
        f"{clock.text(last.at)}: {who} has {off:,} more.",
        what_to_do="Sync it now; if the numbers still differ, tell whoever runs Project88.",
        facts={"listed": last.listed, "mirror": last.mirror},
    )


def bib_finding(bibs: Repeats) -> Finding | None:
    if not bibs.count:
        return None
    one = bibs.count == 1
    return Finding(
        kind=FindingKind.DUPLICATE_BIB,
        severity=Severity.PROBLEM,
        text=f"{counted(bibs.count, 'bib')} {'is' if one else 'are'} worn by more than one person: {_listed(bibs)}.",
        what_to_do="Give each of them a bib of their own in RunSignUp: timing cannot tell them apart.",
        facts={"bibs": bibs.count},
    )


def _people(people: Repeats) -> Finding | None:
    if not people.count:
        return None
    who = "1 person has" if people.count == 1 else f"{people.count:,} people have"
    return Finding(
        kind=FindingKind.SAME_PERSON,
        severity=Severity.LOOK,
        text=f"{who} more than one registration: {_listed(people)}.",
        what_to_do="Ask them, and remove the registration that is too many in RunSignUp.",
        facts={"people": people.count},
    )


def _listed(repeats: Repeats) -> str:
    more = repeats.count - len(repeats.examples)
    return ", ".join(repeats.examples) + (f" and {more:,} more" if more > 0 else "")
