"""Who is registered when the world begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from partners.runsignup.sandbox import names
from partners.runsignup.sandbox.model import ACTIVE, REMOVED, Event, Registration, Row, Version
from partners.runsignup.sandbox.rows import active_row

DAY = 86_400.0


@dataclass(slots=True, kw_only=True)
class Draft:
    """A registration before the ids are given out: ids ascend with the time of registering, over all races."""

    event: Event
    user: dict[str, Any]
    age: int | None
    imported: bool
    registered: float
    removed_at: float | None = None
    reason: str | None = None
    successor: Draft | None = None
    registration_id: int = 0
    extras: dict[str, Any] = field(default_factory=dict)


def new_user(*, rng: Random, race_city: str, race_state: str, user_id: int | None) -> dict[str, Any]:
    """One invented person; without `user_id` an entrant whom somebody imported: no email, no phone."""
    first, gender = rng.choice(names.FIRST_NAMES)
    last = rng.choice(names.LAST_NAMES)
    user: dict[str, Any] = {
        "user_id": user_id,
        "first_name": first,
        "middle_name": rng.choice(names.MIDDLE_NAMES),
        "last_name": last,
    }
    if user_id is not None:
        user["email"] = f"runner{user_id}@example.test"
    user["address"] = {
        "street": rng.choice(names.STREETS) if user_id is not None else None,
        "city": race_city,
        "state": race_state,
        "zipcode": f"{rng.randint(10_000, 99_999)}" if user_id is not None else None,
        "country_code": "CA" if rng.random() < 0.03 else "US",
    }
    user["dob"] = f"{rng.randint(1945, 2015)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    user["gender"] = gender
    if user_id is not None:
        user["phone"] = f"{rng.randint(201, 989)}-555-01{rng.randint(0, 99):02d}" if rng.random() < 0.97 else None
    user["profile_image_url"] = None
    user["is_anonymous"] = "T" if rng.random() < 0.02 else "F"
    return user


def age_of(user: dict[str, Any], event: Event) -> int | None:
    """The age on race day, as a full year count."""
    start, dob = event.start_local, user.get("dob")
    if start is None or not dob:
        return None
    year, month, day = (int(part) for part in dob.split("-"))
    return start.year - year - ((start.month, start.day) < (month, day))


def answers_of(*, rng: Random, event: Event) -> list[dict[str, Any]]:
    """Answers to the race's questions; the texts keep their trailing blanks, an answer may be missing."""
    return [
        {
            "question_id": question["question_id"],
            "question_text": question["question_text"],
            "response": rng.choice(names.CONTACTS) if rng.random() < 0.8 else None,
        }
        for question in event.race.questions
        if rng.random() < 0.9
    ]


def draft_people(
    *, rng: Random, event: Event, count: int, anchor: float, known: list[dict[str, Any]], ids: Iterator[int]
) -> list[Draft]:
    """`count` active drafts of an event; `known` are people of the race's other events, some of whom come again."""
    return [_draft(rng=rng, event=event, anchor=anchor, known=known, ids=ids) for _ in range(count)]


def draft_removals(*, rng: Random, drafts: list[Draft], anchor: float) -> list[Draft]:
    """One in thirty leaves again, half of them into another event of the race; returns what came on top."""
    added: list[Draft] = []
    for draft in [draft for draft in drafts if rng.random() < 1 / 30]:
        others = [
            event
            for event in draft.event.race.events
            if event is not draft.event and event.days_id == draft.event.days_id
        ]
        left_at = rng.uniform(draft.registered, _last_moment(draft.event, anchor))
        # Somebody stands in for the one who leaves, so that the number of active people stays what was asked for.
        leaver = Draft(
            event=draft.event,
            user=draft.user,
            age=draft.age,
            imported=draft.imported,
            registered=draft.registered - rng.uniform(60, DAY),
            removed_at=left_at,
        )
        if others and rng.random() < 0.5:
            leaver.event = rng.choice(others)
            leaver.reason, leaver.successor = "transferred", draft
            draft.registered = left_at
            draft.extras = {}
        else:
            leaver.user = {**draft.user, "last_name": rng.choice(names.LAST_NAMES)}
            leaver.reason = rng.choice(("removed", "removed", "deferred", "cleared"))
        added.append(leaver)
    return added


def settle(drafts: list[Draft], *, rng: Random, first_id: int, anchor: float) -> list[Registration]:
    """Give out ids in the order of registering and write every draft's versions."""
    drafts.sort(key=lambda draft: draft.registered)
    for number, draft in enumerate(drafts):
        draft.registration_id = first_id + number
    return [_settled(draft, rng=rng, anchor=anchor) for draft in drafts]


def _draft(*, rng: Random, event: Event, anchor: float, known: list[dict[str, Any]], ids: Iterator[int]) -> Draft:
    imported = rng.random() < 0.05
    if known and not imported and rng.random() < 0.15:
        user = rng.choice(known)
    else:
        race = event.race
        user = new_user(rng=rng, race_city=race.city, race_state=race.state, user_id=None if imported else next(ids))
        if event.require_dob == "F" and rng.random() < 0.5:
            user["dob"] = None
        if not imported:
            known.append(user)
    opens, last = event.opens.timestamp(), _last_moment(event, anchor)
    # Most people register late.
    registered = opens + max(last - opens, 60.0) * (1 - rng.random() ** 2)
    age = age_of(user, event)
    draft = Draft(
        event=event, user=user, age=rng.randint(5, 80) if age is None else age, imported=imported, registered=registered
    )
    draft.extras = _extras(rng=rng, event=event, anchor=anchor)
    return draft


def _last_moment(event: Event, anchor: float) -> float:
    start = event.starts_at
    return min(anchor, start.timestamp() if start else anchor) - 60.0


def _extras(*, rng: Random, event: Event, anchor: float) -> dict[str, Any]:
    """Bib, chip, team and shirt. Bibs are given out in the last days before a race."""
    extras: dict[str, Any] = {}
    start = event.starts_at
    if start is not None and start.timestamp() - anchor < 7 * DAY and rng.random() < 0.85:
        event.highest_bib += 1
        extras["bib_num"] = event.highest_bib
        if rng.random() < 0.3:
            extras["chip_num"] = f"A0F3-0001-22C9-77B1-{event.event_id % 10_000:04d}-{event.highest_bib:04d}"
    if rng.random() < 0.06:
        team = rng.randrange(len(names.TEAMS))
        extras |= {"team_id": 3300 + team, "team_name": names.TEAMS[team], "team_type_id": 77, "team_type": "Club"}
    shirt = rng.choice(names.SHIRTS)
    if shirt is not None:
        extras |= {"giveaway": shirt, "giveaway_option_id": 6100 + names.SHIRTS.index(shirt)}
    return extras


def _settled(draft: Draft, *, rng: Random, anchor: float) -> Registration:
    registered_second = int(draft.registered)
    changed = registered_second
    if "bib_num" in draft.extras:
        changed = int(rng.uniform(draft.registered, max(draft.registered, _last_moment(draft.event, anchor))))
    row = _row(draft, rng=rng, modified=changed)
    active = Version(at=draft.registered, modified=changed, state=ACTIVE, row=row)
    registration = Registration(
        registration_id=draft.registration_id, event=draft.event, registered=draft.registered, versions=[active]
    )
    if draft.removed_at is not None:
        modified = int(draft.removed_at)
        gone = Version(
            at=draft.removed_at,
            modified=modified,
            state=REMOVED,
            row=row | {"last_modified": modified},
            reason=draft.reason,
            successor=draft.successor.registration_id if draft.successor else None,
        )
        registration.versions.append(gone)
    return registration


def _row(draft: Draft, *, rng: Random, modified: int) -> Row:
    row = active_row(
        registration_id=draft.registration_id,
        event_id=draft.event.event_id,
        user=draft.user,
        registered=draft.registered,
        modified=modified,
        fee=draft.event.fee,
        age=draft.age,
        imported=draft.imported,
        transaction=None if draft.imported else 8_800_000 + draft.registration_id,
        answers=None if draft.imported else answers_of(rng=rng, event=draft.event),
    )
    return row | draft.extras
