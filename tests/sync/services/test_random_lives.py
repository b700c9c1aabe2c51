"""Random lives of a race, and a mirror beside it: after each full comparison both are the same (I1, I3, I4, I5, I8).

`RANDOM_LIVES=1000` plays so many lives instead of the few that CI has time for.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

import msgspec
import pytest
from django.db import OperationalError, connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from partners.runsignup import paging
from partners.runsignup.parsing import decode_participant
from partners.runsignup.sandbox import World
from partners.runsignup.sandbox import model as sandbox
from partners.runsignup.sandbox.changes import ChangeError
from races.models import Participant, ParticipantChange, Race
from races.participant_columns import CONTENT, content_of
from sync.models import EventSync, Outcome
from sync.services import visit_outcomes
from tests.sync.in_process_provider import Killed, Mirror, VirtualClock
from tests.sync.provider_stage import FIRST_RACE, a_key, onboarded

pytestmark = pytest.mark.django_db(transaction=True)

LIVES = int(os.environ.get("RANDOM_LIVES", "0"))
EVENTS = 3
# After so many numbers the cadences of races begin anew.
TURNS = 60
PAGE = 3
GOOD = [Outcome.OK, Outcome.UNCHANGED]

# What the provider does wrong, by the rows of the faults; each for one call.
FAULTS: list[dict[str, Any]] = [
    {"status": 500},
    {"status": 429, "retry_after": "86400"},
    {"error": 14},
    {"error": 6},
    {"error": 7},
    {"error": 201},
    {"error": 301},
    {"error": 999},
    {"body": ""},
    {"body": "null"},
    {"body": '{"error":"invalid_client"}'},
    {"body": '[{"event":'},
    {"drop": True},
    {"truncate": 0.6},
    {"truncate": 0.6, "honest": True},
    {"html": True},
    {"location": "https://elsewhere.example/login"},
    {"ignore": ["after_registration_id"]},
]
# What nobody can tell from a true answer until the next comparison.
LIES: list[dict[str, Any]] = [{"body": "[]"}, {"body": "[{}]"}, {"share": 0.5}]

people = st.integers(0, 30)
event_places = st.integers(0, EVENTS - 1)
what_people_do = st.one_of(
    st.tuples(st.just("register"), event_places),
    st.tuples(st.sampled_from(["edit", "bib", "silent_edit", "lie", "withdraw", "defer", "restore", "vanish"]), people),
    st.tuples(st.just("transfer"), people, event_places),
)


class Lives(RuleBasedStateMachine):
    """Each life is a world with one race. The mirror's database is the same for all: its rows outlive them."""

    mirror: Mirror
    lives = 0

    def __init__(self) -> None:
        super().__init__()
        Lives.lives += 1
        self.clock = VirtualClock()
        self.world = a_world(self.clock)
        self.mirror.begin(self.world, self.clock)
        self.trusted = True
        self.silent: set[int] = set()

    @initialize(newcomers=st.lists(event_places, min_size=0, max_size=10), turn=st.integers(0, TURNS - 1))
    def a_race_begins(self, newcomers: list[int], turn: int) -> None:
        """The number of the race decides the shapes of its answers, and at which visits its extra calls are made."""
        race_id = FIRST_RACE + self.lives * TURNS + turn
        self.events = add_race(self.world, race_id=race_id, created=self.clock.now)
        self.mirror.know(race_id, [event.event_id for event in self.events])
        self.race = Race.objects.get(provider_race_id=race_id)
        for place in newcomers:
            self.act(("register", place))

    # --- what people do -----------------------------------------------------------------------------------------

    @rule(deed=what_people_do)
    def people_do(self, deed: tuple) -> None:
        self.act(deed)

    @rule(deed=what_people_do, late=st.integers(1, 50))
    def people_do_and_it_shows_late(self, deed: tuple, late: int) -> None:
        """The provider dates a change some seconds before anybody can see it."""
        self.act(deed, late=late)

    def act(self, deed: tuple, *, late: int = 0) -> None:
        kind, who, *rest = deed
        now = self.clock.seconds() - late
        try:
            self._act(kind, who, rest, now)
        except ChangeError:
            return

    def _act(self, kind: str, who: int, rest: list[int], now: float) -> None:
        if kind == "register":
            self.world.change("register", event_id=self.events[who].event_id, now=now)
            return
        registration = self._somebody(who, state=sandbox.REMOVED if kind == "restore" else sandbox.ACTIVE)
        if registration is None or (kind == "restore" and registration.current.reason == "transferred"):
            return
        if kind == "vanish":
            # Gone without a word: not in the removed list either. Who has just changed may be on the way from one page
            # to another, so a comparison that begins within a minute does not believe it yet.
            if now - registration.current.at <= 61:
                return
            registration.event.registrations.remove(registration)
            del self.world.registrations[registration.registration_id]
            return
        if kind == "silent_edit":
            self.silent.add(registration.registration_id)
        name, details = self._change(kind, who, rest, now)
        # The provider's time of a registration does not go back.
        now = max(now, registration.current.at)
        self.world.change(name, registration_id=registration.registration_id, now=now, **details)

    def _change(self, kind: str, who: int, rest: list[int], now: float) -> tuple[str, dict[str, Any]]:
        """The sandbox's word for it, and its details."""
        match kind:
            case "edit":
                return "edit", {"user": {"last_name": f"Name {now} {who}"}}
            case "silent_edit":
                return "edit", {"user": {"first_name": f"Silent {who}"}, "silent": True}
            case "lie":
                said = [None, "yesterday", -5, int(now) + 86_400][who % 4]
                return "edit", {"row": {"last_modified": said, "age": who + 1}}
            case "transfer":
                return "transfer", {"to_event_id": self.events[rest[0]].event_id}
        return kind, {}

    def _somebody(self, who: int, *, state: str) -> sandbox.Registration | None:
        found = [one for event in self.events for one in event.registrations if one.current.state == state]
        return found[who % len(found)] if found else None

    @rule(seconds=st.sampled_from([0.3, 1.0, 7.0, 59.0, 61.0, 400.0, 3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_time(seconds)

    @rule(fault=st.sampled_from(FAULTS), endpoint=st.sampled_from(["participants", "removed-participants"]))
    def something_breaks(self, fault: dict[str, Any], endpoint: str) -> None:
        self.world.faults.add(endpoint=endpoint, calls=1, **fault)

    @rule(lie=st.sampled_from(LIES), endpoint=st.sampled_from(["participants", "removed-participants"]))
    def something_is_left_out(self, lie: dict[str, Any], endpoint: str) -> None:
        self.world.faults.add(endpoint=endpoint, calls=1, **lie)
        self.trusted = False

    # --- what we do ---------------------------------------------------------------------------------------------

    @rule()
    def we_sync(self) -> None:
        self._sync()

    @rule(deeds=st.lists(st.tuples(st.integers(1, 6), what_people_do), min_size=1, max_size=4))
    def we_sync_while_people_act(self, deeds: list[tuple[int, tuple]]) -> None:
        """Rows come, go and change between two pages of one fetch."""

        def between(number: int) -> None:
            self.clock.pass_time(0.4)
            for before, deed in deeds:
                if before == number:
                    self.act(deed)

        self.mirror.before_call = between
        self._sync()

    @rule(call=st.integers(1, 6))
    def we_are_killed_before_a_call(self, call: int) -> None:
        def dies(number: int) -> None:
            if number == call:
                raise Killed

        self.mirror.before_call = dies
        self._sync()

    @rule()
    def we_are_killed_in_the_last_transaction(self) -> None:
        """The last page and the cursor are written, but not committed."""
        with pytest.MonkeyPatch.context() as patch:
            real = visit_outcomes.close_good

            def dies(visit: Any, **options: Any) -> None:
                real(visit, **options)
                raise Killed

            patch.setattr(visit_outcomes, "close_good", dies)
            self._sync()

    @rule()
    def the_last_transaction_fails(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            real = visit_outcomes.close_good

            def fails(visit: Any, **options: Any) -> None:
                real(visit, **options)
                raise OperationalError("the connection is lost")

            patch.setattr(visit_outcomes, "close_good", fails)
            self._sync()

    def _sync(self) -> None:
        before = as_of_times(self.race)
        runs = self.mirror.sync(self.race)
        self.mirror.before_call = lambda _number: None
        good = {run.event_id: run.started_at for run in runs if run.outcome in GOOD}
        # I5: only a complete fetch moves "as of", to its own start.
        assert as_of_times(self.race) == before | good
        # I4.
        assert not [run for run in runs if not run.outcome]
        if self.trusted:
            self.no_cursor_is_ahead_of_what_is_committed()
        self.mirror.recover(self.race)

    @rule()
    def we_compare_everything(self) -> None:
        self.world.faults.clear()
        EventSync.objects.filter(event__race=self.race).update(reconciled_at=None)
        self._sync()
        assert EventSync.objects.filter(event__race=self.race, reconciled_at=None).count() == 0
        self.trusted, self.silent = True, set()
        for event in self.events:
            assert_same(event)
        # I8: the same answers again, in full and since the cursor, write nothing.
        written = versions(self.race)
        self._sync()
        EventSync.objects.filter(event__race=self.race).update(reconciled_at=None)
        self._sync()
        assert versions(self.race) == written

    def no_cursor_is_ahead_of_what_is_committed(self) -> None:
        """I3: what the provider dated up to the cursor is in the mirror, but for what it never told."""
        rows = EventSync.objects.filter(event__race=self.race).values_list("event__provider_event_id", "cursor")
        cursors = dict(rows)
        for event in self.events:
            stored = mirrored(event)
            for one in event.registrations:
                known = one.current.modified <= (cursors[event.event_id] or 0)
                if known and one.is_active and one.registration_id not in self.silent:
                    assert one.registration_id in stored, f"registration {one.registration_id} is not in the mirror"
                    assert_same_person(stored[one.registration_id], one)

    def teardown(self) -> None:
        if hasattr(self, "race"):
            self.we_compare_everything()
            self.mirror.forget(self.race)


def a_world(clock: VirtualClock) -> World:
    key = a_key(0, hourly_limit=1_000_000)
    return World(keys=[key], races=[], caller_registration=("900001.x", "y"), clock=clock.seconds)


def add_race(world: World, *, race_id: int, created: datetime) -> list[sandbox.Event]:
    race = sandbox.Race(
        race_id=race_id,
        name="Harbor Lights",
        timezone="America/New_York",
        city="Salem",
        state="MA",
        zipcode="01970",
        street="1 Wharf St",
        created=created,
        modified=created,
        questions=[],
    )
    world.races[race_id] = race
    next(iter(world.keys.values())).race_ids.append(race_id)
    for number in range(EVENTS):
        event = sandbox.Event(
            event_id=race_id * 10 + number,
            race=race,
            days_id=1,
            name=f"Event {number}",
            distance="5K",
            start_time="6/6/2026 08:00",
            opens=created,
            fee="$45.00",
        )
        race.events.append(event)
        world.events[event.event_id] = event
    return race.events


def as_of_times(race: Race) -> dict[int, Any]:
    return dict(EventSync.objects.filter(event__race=race).values_list("event_id", "checked_at"))


def mirrored(event: sandbox.Event) -> dict[int, dict[str, Any]]:
    rows = Participant.objects.filter(event__provider_event_id=event.event_id)
    columns = ("registration_id", "removed_at", "removed_reason", "successor_registration_id", *CONTENT)
    return {row["registration_id"]: row for row in rows.values(*columns)}


def assert_same(event: sandbox.Event) -> None:
    """I1: ids, fields and removals. Who never was in the mirror and left need not be there."""
    stored = mirrored(event)
    truth = {one.registration_id: one for one in event.registrations}
    active = {number for number, one in truth.items() if one.is_active}
    assert {number for number, row in stored.items() if row["removed_at"] is None} == active
    for number, row in stored.items():
        if number in active:
            assert_same_person(row, truth[number])
        elif number in truth:
            said = truth[number].current
            assert (row["removed_reason"], row["successor_registration_id"]) == (said.reason, said.successor)
        else:
            assert row["removed_reason"] in {"missing", "removed", "deferred", "transferred"}


def assert_same_person(row: dict[str, Any], one: sandbox.Registration) -> None:
    shown = one.current.row | {"participant_addons": []}
    assert row["removed_at"] is None, f"registration {one.registration_id} is active"
    assert {name: row[name] for name in CONTENT} == content_of(decode_participant(msgspec.json.encode(shown)))


def versions(race: Race) -> tuple[list[tuple], int]:
    """`xmin` is the transaction that last wrote a row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT people.id, people.xmin::text FROM races_participant AS people JOIN races_event AS event"
            " ON event.id = people.event_id WHERE event.race_id = %s ORDER BY people.id",
            [race.pk],
        )
        return cursor.fetchall(), ParticipantChange.objects.filter(participant__event__race=race).count()


def test_after_any_life_the_mirror_is_the_provider(monkeypatch, caplog):
    caplog.set_level("CRITICAL")
    with connection.cursor() as cursor:
        # Nobody looks at these rows after a power cut.
        cursor.execute("SET synchronous_commit = off")
    monkeypatch.setattr(paging, "PAGE_SIZE", PAGE)
    [credential] = onboarded(a_world(VirtualClock()))
    Lives.mirror = Mirror(credential=credential)
    Lives.mirror.install(monkeypatch)
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=LIVES or 12,
            stateful_step_count=20,
            deadline=None,
            derandomize=not LIVES,
            database=None,
            suppress_health_check=list(HealthCheck),
            # Shrinking takes minutes; without it the failing life is long but told all the same.
            phases=[Phase.generate, Phase.shrink] if LIVES else [Phase.generate],
        ),
    )
