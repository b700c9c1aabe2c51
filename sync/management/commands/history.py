"""manage.py history: who had a bib when, or one person's changes."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from partners.gate import database_now
from races.history import Holding, State
from races.models import Event, Race
from sync.core.tiers import zone_of
from sync.core.time_words import Clock, counted
from sync.management.race_moment import race_moment
from sync.management.terminal import console_on
from sync.services.history import Found, PersonHistory, history_find
from sync.services.provider_ids import NotFound, event_by_id, race_by_id


class Command(BaseCommand):
    help = (
        "Say who had a bib when, or every change of one person, from the changes on record. WHO is looked for as a "
        "bib, then as a registration number of RunSignUp, then as a name. Times are the race's. Nothing is changed. "
        "Exit code 0: answered, also that nobody was found; 2: no such event or race, or a wrong argument."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("who", metavar="BIB|REGISTRATION|NAME", help="a name of several words in quotes")
        parser.add_argument("--event", metavar="EVENT", type=int, help="RunSignUp's number of the event")
        parser.add_argument("--race", metavar="RACE", type=int, help="all events of this race, when there is no EVENT")
        parser.add_argument("--partner", metavar="SLUG", help="whose, when two partners have the same number")
        parser.add_argument(
            "--at",
            metavar="TIME",
            help="who it was then: HH:MM of today, or an ISO time such as 2026-06-06T07:30, both in the race's zone "
            "unless an offset is given",
        )
        parser.add_argument("--json", action="store_true", help="print JSON for programs, times in UTC")

    def handle(self, *args: Any, **options: Any) -> None:
        now, who = database_now(), options["who"].replace("\x00", "").strip()
        if not who:
            raise CommandError("Name a bib, a registration number or a name.", returncode=2)
        race, events = _where(options)
        zone = zone_of(race.timezone)
        at = race_moment(options["at"], zone=zone, now=now) if options["at"] is not None else None
        found = history_find(who=who, events=events, zone=zone)
        if options["json"]:
            self.stdout.write(json.dumps(_document(found, who=who, at=at, race=race, events=events), indent=1))
            return
        console = console_on(self.stdout)
        where = f"{events[0].name} ({events[0].provider_event_id}) of " if options["event"] is not None else ""
        console.print(f"{where}{race.name} ({race.provider_race_id})")
        _say(console, found, who=who, at=at, clock=Clock(zone=zone, now=now))


def _where(options: dict[str, Any]) -> tuple[Race, list[Event]]:
    event_id, race_id, slug = options["event"], options["race"], options["partner"]
    if event_id is None and race_id is None:
        raise CommandError("Say where: --event EVENT, or --race RACE for all its events.", returncode=2)
    try:
        race = race_by_id(race_id, partner=slug) if race_id is not None else None
        event = event_by_id(event_id, partner=slug or (race.partner.slug if race else None)) if event_id else None
    except NotFound as problem:
        raise CommandError(str(problem), returncode=2) from None
    if event is None:
        if race is None:
            raise CommandError("No event has the id 0.", returncode=2)
        return race, list(race.events.defer("raw").order_by("starts_at", "pk"))
    if race is not None and event.race_id != race.pk:
        raise CommandError(
            f"Event {event_id} is one of race {event.race.provider_race_id}, not {race_id}.", returncode=2
        )
    return event.race, [event]


def _say(console: Console, found: Found, *, who: str, at: datetime | None, clock: Clock) -> None:
    if found.holdings:
        _say_holders(console, found.holdings, who=who, at=at, clock=clock)
    elif not found.people:
        console.print(f"Nobody here has or had the bib or registration {who}, or such a name.")
    elif found.is_one:
        for person in found.people:
            _say_person(console, person, at=at, clock=clock)
    else:
        console.print(f"{len(found.people) + found.more:,} people have such a name. Ask again with a registration:")
        for each in found.people:
            bib = f"bib {each.person.bib}" if each.person.bib else "no bib"
            console.print(f"  {each.person.registration_id}  {each.name}, {each.person.event.name}, {bib}")
        if found.more:
            console.print(f"  … and {found.more:,} more")


def _say_holders(console: Console, holdings: Sequence[Holding], *, who: str, at: datetime | None, clock: Clock) -> None:
    if at is not None:
        then = [each for each in holdings if each.state.holds_at(at)]
        names = ", ".join(f"{_name(each)} (registration {each.registration_id})" for each in then)
        console.print(f"Bib {who} at {clock.text(at)}: {names or 'nobody'}.")
    console.print(f"Everybody who had bib {who}, the first one first:")
    for each in holdings:
        mark = ">" if at is not None and each.state.holds_at(at) else " "
        why = f", {each.state.ended}" if each.state.ended else ""
        console.print(
            f"{mark} {_span(each.state, clock)}  {_name(each)}, registration {each.registration_id}, "
            f"{each.event_name}{why}"
        )


def _name(holding: Holding) -> str:
    return holding.state.name or "without a name"


def _span(state: State, clock: Clock) -> str:
    since = clock.text(state.since) if state.since else "from the beginning"
    return f"{since} – {clock.text(state.until) if state.until else 'now'}"


def _say_person(console: Console, each: PersonHistory, *, at: datetime | None, clock: Clock) -> None:
    console.print(
        f"{each.name}, registration {each.person.registration_id}, {each.person.event.name}: "
        f"{_state_text(each.states[-1])} now"
    )
    if at is not None:
        then = _state_at(each, at)
        said = f"{then.name}, {_state_text(then)}" if then else "not registered yet"
        console.print(f"At {clock.text(at)}: {said}")
    console.print(f"{counted(len(each.changes), 'change')} on record, the newest first:")
    for change, sentence in each.changes:
        console.print(f"  {clock.text(change.at, seconds=True)}  {sentence}.")


def _state_text(state: State) -> str:
    bib = f"bib {state.bib}" if state.bib else "no bib"
    return f"{'registered' if state.registered else 'not in the list'}, {bib}"


def _state_at(each: PersonHistory, at: datetime) -> State | None:
    return next((state for state in each.states if state.holds_at(at)), None)


def _document(found: Found, *, who: str, at: datetime | None, race: Race, events: Sequence[Event]) -> dict[str, Any]:
    return {
        "who": who,
        "at": _iso(at),
        "race": race.provider_race_id,
        "events": [event.provider_event_id for event in events],
        "holders": [
            {
                "registration": each.registration_id,
                "event": each.provider_event_id,
                "event_name": each.event_name,
                **_state_document(each.state),
                "held_at": each.state.holds_at(at) if at else None,
            }
            for each in found.holdings
        ],
        "people": [_person_document(each, at) for each in found.people],
        "more_people": found.more,
    }


def _person_document(each: PersonHistory, at: datetime | None) -> dict[str, Any]:
    then = _state_at(each, at) if at else None
    return {
        "registration": each.person.registration_id,
        "event": each.person.event.provider_event_id,
        "event_name": each.person.event.name,
        "now": _state_document(each.states[-1]),
        "then": _state_document(then) if then else None,
        "changes": [
            {"at": _iso(change.at), "kind": change.kind, "text": sentence} for change, sentence in each.changes
        ],
    }


def _state_document(state: State) -> dict[str, Any]:
    return {
        "name": state.name,
        "bib": state.bib,
        "registered": state.registered,
        "since": _iso(state.since),
        "until": _iso(state.until),
        "ended": state.ended,
    }


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None
