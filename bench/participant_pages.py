"""Pages of participants as the provider sends them, made up: the same number makes the same person."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from random import Random
from typing import Any

from partners.runsignup.answer import Answer
from partners.runsignup.paging import PAGE_SIZE
from partners.runsignup.sandbox import names
from partners.runsignup.sandbox.people import new_user
from partners.runsignup.sandbox.rows import EVERYTHING, active_row, shown_row, to_json

# Registering begins here, in Unix seconds: a year before the race, most of it in crowded hours.
_OPENS = 1_764_600_000
_FEES = ("$35.00", "$45.00", "$55.00", "$85.00", "$1,055.00")
_QUESTIONS = (
    (55101, "Emergency Contact Name"),
    (55102, "Emergency Contact Phone "),
    (55103, "T-Shirt size of the runner"),
    (55104, "How did you hear about this race?"),
)


def pages(
    *, event_id: int, first: int, people: int, changed: Collection[int] = (), version: int = 0
) -> Iterator[Answer]:
    """The answers that list `people` registrations from id `first` on; those of `changed` in another `version`."""
    for start in range(first, first + people, PAGE_SIZE):
        numbers = range(start, min(start + PAGE_SIZE, first + people))
        yield page(event_id=event_id, numbers=numbers, changed=changed, version=version)


def page(*, event_id: int, numbers: Collection[int], changed: Collection[int] = (), version: int = 0) -> Answer:
    rows = [to_json(_row(event_id, number, version if number in changed else 0)) for number in numbers]
    body = b'[{"event":{"event_id":%d,"participants":[]},"participants":[%s]}]' % (event_id, b",".join(rows))
    return Answer(status=200, headers={"date": "Sun, 22 Nov 2026 10:00:00 GMT"}, body=body)


def _row(event_id: int, number: int, version: int) -> dict[str, Any]:
    rng = Random(number)  # noqa: S311 - invented people
    user = new_user(rng=rng, race_city="Fort Larkin", race_state="CO", user_id=41_000_000 + number)
    registered = _OPENS + number // 20 * 60 % 30_000_000
    row = active_row(
        registration_id=number,
        event_id=event_id,
        user=user,
        registered=registered,
        modified=registered + version,
        fee=rng.choice(_FEES),
        age=rng.randint(8, 80),
        transaction=8_800_000 + number,
        answers=[
            {"question_id": number_of, "question_text": text, "response": rng.choice(names.CONTACTS)}
            for number_of, text in _QUESTIONS
        ],
    )
    row["bib_num"] = (number + version) % 100_000 if rng.random() < 0.7 else None
    if version:
        row["giveaway"] = f"Version {version}"
        row["bib_num"] = (number + version) % 100_000
    return shown_row(row, number, EVERYTHING)
