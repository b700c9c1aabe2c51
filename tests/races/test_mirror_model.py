"""Whatever the provider says in whatever order, the mirror ends as a dictionary would that applies the same rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partners.runsignup.parsing import decode_participant
from races.ingest import store_participants
from races.models import Event, Participant, ParticipantChange
from races.removals import apply_removed, mark_missing
from tests.factories import EventFactory
from tests.races.provider_pages import SECOND, left, listed, moment

pytestmark = pytest.mark.django_db

REASONS = ["removed", "deferred", "transferred"]
SLACK = 15 * 60

ids = st.integers(1, 6)
# Around the moments at which the steps happen: every 10 minutes from SECOND on.
seconds = st.integers(0, 12).map(lambda tick: SECOND + tick * 300)
versions = st.tuples(ids, seconds, st.integers(1, 3))
removed = st.tuples(ids, seconds, st.sampled_from(REASONS), st.one_of(st.none(), st.integers(50, 52)))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("page"), st.lists(versions, max_size=6)),
        st.tuples(st.just("removed"), st.lists(removed, max_size=4)),
        st.tuples(st.just("complete"), st.sets(ids)),
    ),
    min_size=1,
    max_size=8,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one registration should be: times in Unix seconds, no reason while it is active."""

    modified: int
    bib: int
    removed: int | None = None
    reason: str = ""
    successor: int | None = None


class Model:
    """The rules of the mirror, once more and as simply as they can be said."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}

    def page(self, rows: list[tuple[int, int, int]], *, now: int) -> None:
        newest: dict[int, tuple[int, int]] = {}
        for number, modified, bib in rows:
            if number not in newest or modified >= newest[number][0]:
                newest[number] = modified, bib
        for number, (modified, bib) in newest.items():
            known = self.entries.get(number)
            if known is None or self._counts(known, modified, now):
                self.entries[number] = Entry(modified=modified, bib=bib)

    @staticmethod
    def _counts(known: Entry, modified: int, now: int) -> bool:
        if known.removed is None:
            return modified >= known.modified or known.modified > now + SLACK
        return known.reason == "missing" or modified >= known.removed or known.removed < now - SLACK

    def removed(self, rows: list[tuple[int, int, str, int | None]], *, now: int) -> None:
        latest: dict[int, tuple[int, str, int | None]] = {}
        for number, at, reason, successor in rows:
            if number not in latest or at >= latest[number][0] or latest[number][0] > now + SLACK:
                latest[number] = at, reason, successor
        for number, (at, reason, successor) in latest.items():
            if number in self.entries:
                self._remove(number, at if at <= now + SLACK else None, reason, successor, now=now)

    def _remove(self, number: int, at: int | None, reason: str, successor: int | None, *, now: int) -> None:
        known = self.entries[number]
        time = at or known.removed or now
        if known.removed is None:
            if at and at < known.modified <= now + SLACK:
                return
        elif known.reason == "missing":
            time = at or now
        elif at and at < known.removed <= now + SLACK:
            if known.successor is not None or successor is None:
                return
            time = known.removed
        self.entries[number] = replace(known, removed=time, reason=reason, successor=successor)

    def complete(self, seen: set[int], *, now: int) -> None:
        for number, entry in self.entries.items():
            changed_meanwhile = now - 60 <= entry.modified <= now + 900
            if number not in seen and entry.removed is None and not changed_meanwhile:
                self.entries[number] = replace(entry, removed=now, reason="missing")


class Mirror:
    """The same three doors, of the real thing."""

    def __init__(self, event: Event) -> None:
        self.event = event

    def page(self, rows: list[tuple[int, int, int]], *, now: datetime) -> None:
        page = [listed(self.event, number, modified=modified, bib_num=bib) for number, modified, bib in rows]
        store_participants(race=self.event.race, rows=page, decode=decode_participant, now=now, runs={})

    def removed(self, rows: list[tuple[int, int, str, int | None]], *, now: datetime) -> None:
        page = [left(number, at=at, reason=reason, successor=successor) for number, at, reason, successor in rows]
        apply_removed(race=self.event.race, rows=page, now=now, runs={})

    def complete(self, seen: set[int], *, now: datetime) -> None:
        active = set(self.event.participants.filter(removed_at=None).values_list("registration_id", flat=True))
        mark_missing(event=self.event, seen=seen, present_before=active, begun=now, now=now, run=1)

    def entries(self) -> dict[int, Entry]:
        return {
            row.registration_id: Entry(
                modified=int(row.modified_at.timestamp()),
                bib=int(row.bib),
                removed=int(row.removed_at.timestamp()) if row.removed_at else None,
                reason=row.removed_reason,
                successor=row.successor_registration_id,
            )
            for row in Participant.objects.filter(event=self.event)
        }

    def fingerprint(self) -> tuple:
        """Every version of every row, and how many changes there are: the same again means that nothing was written."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, ctid::text, xmin::text FROM races_participant WHERE event_id = %s ORDER BY id",
                [self.event.pk],
            )
            return cursor.fetchall(), ParticipantChange.objects.filter(participant__event=self.event).count()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_any_sequence_of_answers_ends_as_the_rules_say_and_each_answer_twice_changes_nothing(story):
    mirror, model = Mirror(EventFactory()), Model()
    for tick, (door, said) in enumerate(story):
        at = SECOND + tick * 600
        getattr(model, door)(said, now=at)
        getattr(mirror, door)(said, now=moment(at))
        assert mirror.entries() == model.entries
        before = mirror.fingerprint()
        getattr(mirror, door)(said, now=moment(at))
        assert mirror.fingerprint() == before


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(versions, max_size=12), st.integers(1, 4), st.randoms(use_true_random=False))
def test_the_order_and_the_pages_in_which_versions_arrive_do_not_matter(rows, pages, random):
    """Of versions of the same second the last one counts, so each version here has its own second."""
    unique = list({(number, modified): (number, modified, bib) for number, modified, bib in rows}.values())
    expected = {}
    for number, modified, bib in sorted(unique, key=lambda row: row[1]):
        expected[number] = Entry(modified=modified, bib=bib)
    random.shuffle(unique)
    mirror = Mirror(EventFactory())
    for page in range(pages):
        mirror.page(unique[page::pages], now=moment(SECOND) + timedelta(hours=2))
    assert mirror.entries() == expected
