"""The world of a seed and a moment: the same two always make the same keys, races, ids and people."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from partners.runsignup.sandbox import names
from partners.runsignup.sandbox.model import Event, Key, Race
from partners.runsignup.sandbox.people import draft_people, draft_removals, settle
from partners.runsignup.sandbox.starts import HIGH, LOW, MEDIUM, PAST, RacePlan, a_year_before, plan_races
from partners.runsignup.sandbox.time_texts import EASTERN, slashed
from partners.runsignup.sandbox.world import World

MOST_EVENTS_OF_A_RACE = 5
# One call of 1,000 rows fetches a whole race; the rest is room for those who register later.
MOST_PEOPLE_OF_A_RACE = 950

_RACES_OF_KEYS = (10, 8, 7, 6, 6, 5, 4, 4, 3, 3, 2, 1, 1)
_PARTNER_ZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles")


def build_world(
    *,
    seed: int = 1,
    anchor: datetime | None = None,
    keys: int = 13,
    races: int = 60,
    events: int = 150,
    participants: int = 20_000,
    hourly_limit: int = 1000,
    clock: Callable[[], float] = time.time,
) -> World:
    """The sandbox's world. `anchor` is the moment the starts are spread around (default: the clock's now).

    `events` counts those still to come; last year's editions of some races are made on top, and `participants` are
    shared among all of them. Raises ValueError with a sentence for sizes that do not fit together.
    """
    _check_sizes(keys=keys, races=races, events=events, participants=participants, hourly_limit=hourly_limit)
    moment = anchor or datetime.fromtimestamp(clock(), UTC)
    rng = Random(f"{seed}|{moment.timestamp():.0f}")  # noqa: S311 - invented data, the same for the same seed
    over = _races_that_are_over(races)
    counts = _event_counts(rng, races - over, events)
    past = [rng.randint(1, 4) for _ in range(over)]
    plans = plan_races(rng=rng, anchor=moment, upcoming=counts, past=past)
    made = make_races(rng=rng, anchor=moment, plans=plans)
    shares = _shares_of_keys(rng=rng, count=keys, races=made)
    world = make_world(seed=seed, anchor=moment, races=made, shares=shares, hourly_limit=hourly_limit, clock=clock)
    people_the_world(world, rng=rng, plans=plans, participants=participants)
    return world


def make_world(
    *,
    seed: int,
    anchor: datetime,
    races: list[Race],
    shares: list[list[int]],
    hourly_limit: int,
    clock: Callable[[], float],
) -> World:
    """A world without people. `shares`: the ids of the races that each key sees."""
    return World(
        keys=_make_keys(seed=seed, shares=shares, hourly_limit=hourly_limit),
        races=races,
        caller_registration=(f"{900_000 + seed % 100_000}.{_token(seed, 'caller')}", _token(seed, "caller-secret")),
        seed=seed,
        began=anchor.timestamp(),
        clock=clock,
    )


def _check_sizes(*, keys: int, races: int, events: int, participants: int, hourly_limit: int) -> None:
    if keys < 1:
        raise ValueError(f"There must be at least one key, not {keys}.")
    if races < keys:
        raise ValueError(f"{keys} keys need at least {keys} races, not {races}: every key sees one race or more.")
    coming = races - _races_that_are_over(races)
    if not coming <= events <= coming * MOST_EVENTS_OF_A_RACE:
        raise ValueError(
            f"{races} races have between {coming} and {coming * MOST_EVENTS_OF_A_RACE} events to come, not {events} "
            f"(1 to {MOST_EVENTS_OF_A_RACE} a race; one race in twenty is over)."
        )
    if participants < 0:
        raise ValueError(f"The number of participants cannot be negative ({participants}).")
    if hourly_limit < 1:
        raise ValueError(f"A key must be allowed at least one call an hour, not {hourly_limit}.")


def _races_that_are_over(races: int) -> int:
    """How many races have nothing to come, only a past edition."""
    return races // 20


def _event_counts(rng: Random, races: int, events: int) -> list[int]:
    counts = [1] * races
    while sum(counts) < events:
        smaller = [index for index, count in enumerate(counts) if count < MOST_EVENTS_OF_A_RACE]
        counts[rng.choice(smaller)] += 1
    return counts


def make_races(*, rng: Random, anchor: datetime, plans: list[RacePlan]) -> list[Race]:
    """All editions, the past ones first: their ids are older."""
    races = [
        _make_race(rng=rng, anchor=anchor, plan=plan, race_id=974_501 + 7 * number) for number, plan in enumerate(plans)
    ]
    event_ids, days_ids, question_ids = itertools.count(700_101, 3), itertools.count(480_001), itertools.count(55_101)
    kinds = [sorted(rng.sample(range(len(names.DISTANCES)), plan.events)) for plan in plans]
    last_year: dict[tuple[int, int], int] = {}
    for race, plan, kind in zip(races, plans, kinds, strict=True):
        race.questions = _questions(question_ids)
        if plan.soon != PAST and rng.random() < 0.25:
            starts = tuple(a_year_before(start) for start in plan.starts)
            _add_edition(race, starts=starts, kind=kind, days_id=next(days_ids), event_ids=event_ids)
            last_year |= {(race.race_id, number): event.event_id for number, event in enumerate(race.events)}
    event_ids = itertools.count(990_101)
    for race, plan, kind in zip(races, plans, kinds, strict=True):
        had = len(race.events)
        _add_edition(race, starts=plan.starts, kind=kind, days_id=next(days_ids), event_ids=event_ids)
        for number, event in enumerate(race.events[had:]):
            event.previous_year_event_id = last_year.get((race.race_id, number))
    return races


def _make_race(*, rng: Random, anchor: datetime, plan: RacePlan, race_id: int) -> Race:
    city, state, zipcode, zone = plan.town
    return Race(
        race_id=race_id,
        name=rng.choice(names.RACE_NAMES).format(town=city),
        timezone=zone,
        city=city,
        state=state,
        zipcode=zipcode,
        street=rng.choice(names.STREETS),
        created=anchor - timedelta(days=rng.randint(400, 2000), minutes=rng.randint(0, 1440)),
        modified=anchor - timedelta(days=rng.randint(0, 30), minutes=rng.randint(0, 1440)),
        questions=[],
        is_private="T" if rng.random() < 0.03 else "F",
    )


def _add_edition(
    race: Race, *, starts: tuple[datetime, ...], kind: list[int], days_id: int, event_ids: Iterator[int]
) -> None:
    for start, index in zip(starts, kind, strict=True):
        name, distance, fee, require_dob = names.DISTANCES[index]
        event = Event(
            event_id=next(event_ids),
            race=race,
            days_id=days_id,
            name=name,
            distance=distance,
            start_time=slashed(start),
            opens=(start - timedelta(days=200)).replace(hour=2, minute=0, tzinfo=EASTERN),
            fee=fee,
            require_dob=require_dob,
        )
        race.events.append(event)


def _questions(ids: Iterator[int]) -> list[dict[str, Any]]:
    # The blank at the end of the second text is the provider's.
    texts = (("Emergency Contact Name", "ice_name"), ("Emergency Contact Phone ", "ice_phone"))
    return [
        {
            "question_id": next(ids),
            "question_text": text,
            "question_type": "Freeform",
            "question_type_code": "F",
            "standard_question_type": standard,
        }
        for text, standard in texts
    ]


def _shares_of_keys(*, rng: Random, count: int, races: list[Race]) -> list[list[int]]:
    """The ids of the races that each key sees, mixed."""
    weights = [float(_RACES_OF_KEYS[number] if number < len(_RACES_OF_KEYS) else 1) for number in range(count)]
    waiting = [race.race_id for race in races]
    rng.shuffle(waiting)
    shares = []
    for extra in share_out(len(races) - count, [weight - 0.99 for weight in weights]):
        shares.append(sorted(waiting[: 1 + extra]))
        del waiting[: 1 + extra]
    return shares


def _make_keys(*, seed: int, shares: list[list[int]], hourly_limit: int) -> list[Key]:
    return [
        Key(
            key=f"sandbox-key-{number:02d}",
            secret=f"sandbox-secret-{number:02d}-{_token(seed, f'key{number}')}",
            name=names.PARTNERS[number - 1] if number <= len(names.PARTNERS) else f"Timing Partner {number}",
            timezone=_PARTNER_ZONES[number % len(_PARTNER_ZONES)],
            entity_id=4_400 + number,
            hourly_limit=hourly_limit,
            race_ids=share,
        )
        for number, share in enumerate(shares, start=1)
    ]


def share_out(total: int, weights: list[float]) -> list[int]:
    """`total` in whole parts after the weights, by largest remainder."""
    whole = sum(weights)
    if whole <= 0:
        weights, whole = [1.0] * len(weights), float(len(weights))
    exact = [total * weight / whole for weight in weights]
    shares = [int(part) for part in exact]
    rest = sorted(range(len(exact)), key=lambda index: shares[index] - exact[index])
    for index in rest[: total - sum(shares)]:
        shares[index] += 1
    return shares


def people_the_world(world: World, *, rng: Random, plans: list[RacePlan], participants: int) -> None:
    """`plans`: one for each race of the world, in the order of its races."""
    races = list(world.races.values())
    ids = itertools.count(41_000_001)
    weights = [_event_weights(rng, race, plan, world.began) for race, plan in zip(races, plans, strict=True)]
    totals = _race_totals(participants, [sum(of_race) for of_race in weights])
    drafts = []
    for race, total, of_race in zip(races, totals, weights, strict=True):
        known: list[dict[str, Any]] = []
        people = []
        for event, count in zip(race.events, share_out(total, of_race), strict=True):
            people += draft_people(rng=rng, event=event, count=count, anchor=world.began, known=known, ids=ids)
        drafts += people + draft_removals(rng=rng, drafts=people, anchor=world.began)
    world.add_registrations(settle(drafts, rng=rng, first_id=70_000_001, anchor=world.began))


def _event_weights(rng: Random, race: Race, plan: RacePlan, began: float) -> list[float]:
    """The nearer, the fuller; three of ten events months ahead have nobody yet."""
    weights = []
    for event in race.events:
        start = event.starts_at
        days = (start.timestamp() - began) / 86_400 if start else 0.0
        weight = rng.lognormvariate(0, 0.6) * {HIGH: 1.5, MEDIUM: 1.3, PAST: 1.0, LOW: 0.8}[plan.soon]
        weights.append(0.0 if days > 90 and rng.random() < 0.3 else weight * (0.3 if days > 60 else 1.0))
    return weights


def _race_totals(participants: int, weights: list[float]) -> list[int]:
    """Shares of the races after their weights, none above the cap unless so many are asked for that they must be."""
    mean = participants / len(weights)
    cap = MOST_PEOPLE_OF_A_RACE if mean <= MOST_PEOPLE_OF_A_RACE * 0.7 else int(mean * 1.5) + 1
    totals = [0] * len(weights)
    open_weights, left = list(weights), participants
    while left > 0:
        added = share_out(left, open_weights)
        for index, share in enumerate(added):
            totals[index] = min(cap, totals[index] + share)
            if totals[index] == cap:
                open_weights[index] = 0.0
        left = participants - sum(totals)
    return totals


def _token(seed: int, what: str) -> str:
    return hashlib.sha256(f"sandbox|{seed}|{what}".encode()).hexdigest()[:16]
