"""What holds for every page of the table of URLs, so that a new one cannot be forgotten: it costs at most 15 queries,
as many for 50 rows as for one, and a first visit of it is small."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.first_visit import first_visit_bytes
from bench.page_addresses import NO_PAGES, Kind, World, addresses, page_names
from partners.gate import database_now
from partners.models import ApiUsage, CallBudget
from races.models import HeldRemoval, Participant, ParticipantChange, Race, RaceAccess, ShareLink, StartListExport
from races.share_links import share_link_create
from sync.models import Backfill, Cycle, EventDay, Heartbeat, SyncRun
from tests.factories import (
    CredentialFactory,
    EventFactory,
    EventSyncFactory,
    ParticipantFactory,
    PartnerMembershipFactory,
    RaceFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

MOST_QUERIES = 15
# Gzipped, with everything that the page loads.
MOST_BYTES = 100_000
FINISHED, COMING = timedelta(hours=-30), timedelta(hours=2)


@pytest.fixture(autouse=True)
def view_clock():
    """The true clock: it is asked for with a query, as for a reader."""


@pytest.fixture
def now(db):
    return database_now()


@pytest.fixture
def staff(db):
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.fixture
def director(db):
    return UserFactory()


@pytest.fixture
def race(db, director):
    """Of a partner that the director belongs to."""
    race = RaceFactory(name="Harbor Lights", registration_open=True)
    PartnerMembershipFactory(partner=race.partner, user=director)
    return race


@pytest.fixture
def add(race, staff, director, now):
    """One more of everything that a page lists: a race with a key of its own, events with people, runs and changes."""

    def event_of(number: int, of: Race, *, starts_in: timedelta):
        event = EventFactory(race=of, name=f"Harbor {number}", starts_at=now + starts_in)
        is_over = starts_in < timedelta(0)
        EventSyncFactory(
            event=event,
            tier=None if is_over else "HIGH",
            due_at=None if is_over else now - timedelta(minutes=1),
            checked_at=now + min(starts_in, timedelta(seconds=-40)),
            changed_at=now - timedelta(days=9),
            failures=0 if is_over else 2,
            hold_reason="" if is_over else "removals are held",
        )
        EventDay.objects.create(
            event=event, day=event.starts_at.date(), planned=270, done=268, failed=1, rolled_up_at=now
        )
        return event

    def people_of(event, number: int) -> None:
        person = ParticipantFactory(event=event, last_name="Smith", bib="8")
        change = {"kind": "changed", "changes": {"bib": ["7", "8"]}, "at": now - timedelta(hours=1)}
        run = SyncRun.objects.filter(event=event).latest("pk")
        ParticipantChange.objects.create(participant=person, sync_run=run, **change)
        ParticipantChange.objects.create(participant=Participant.objects.earliest("pk"), **change)
        # Who moved to where nothing else is: an event of another day.
        elsewhere = ParticipantFactory(
            event=EventFactory(race=event.race, starts_at=now - timedelta(days=400 + number))
        )
        gone = ParticipantFactory(
            event=event,
            removed_at=now,
            removed_reason="transferred",
            successor_registration_id=elsewhere.registration_id,
        )
        ParticipantChange.objects.create(participant=gone, kind="transferred", at=now)

    def runs_of(event, cycle, number: int) -> None:
        for outcome, trigger in (("failed", "scheduled"), ("ok", "manual"), ("unchanged", "scheduled")):
            SyncRun.objects.create(
                event=event,
                cycle=cycle,
                visit=uuid.uuid4(),
                tier="HIGH",
                trigger=trigger,
                outcome=outcome,
                error_text="no answer" if outcome == "failed" else "",
                started_at=now - timedelta(minutes=number + 1),
                finished_at=now - timedelta(minutes=number),
            )

    def make(number: int) -> None:
        key = CredentialFactory(partner=race.partner, label=f"Key {number}", api_key=f"every-page-{number}")
        CallBudget.objects.create(credential=key)
        ApiUsage.objects.create(credential=key, minute=now - timedelta(minutes=number), calls=2)
        other = RaceFactory(credential=key, name=f"Harbor Run {number}")
        RaceAccess.objects.create(user=director, race=RaceFactory())
        Cycle.objects.create(started_at=now - timedelta(minutes=number), finished_at=now, high_due=1)
        largest = race.events.filter(name="Harbor 0").order_by("-starts_at").first()
        event = event_of(number, race, starts_in=COMING)
        for filled in {largest or event, event, event_of(number, other, starts_in=FINISHED)}:
            runs_of(filled, Cycle.objects.earliest("pk"), number)
            people_of(filled, number)
        HeldRemoval.objects.create(event=event, registration_ids=[1], listed_before=9, found_at=now)
        Backfill.objects.create(partner=race.partner, started_at=now, finished_at=now, status="done")
        ShareLink.objects.create(
            race=race, created_by=staff, created_at=now, expires_at=now + COMING, token_hash=f"hash {number}"
        )

    return make


@pytest.fixture
def world(race, add, staff, now):
    Heartbeat.objects.create(name="cycle", beat_at=now)
    add(0)
    event = race.events.get(name="Harbor 0")
    finished = EventDay.objects.exclude(event=event).latest("pk").event
    answer = logged_in(staff).post(f"/races/{race.pk}/start-list/", {"format": "csv"})
    b"".join(answer.streaming_content)
    # Somebody has come since that export.
    ParticipantFactory(event=event, last_name="Smith", bib="8")
    _link, token = share_link_create(race=race, label="", expires_at=now + COMING, created_by=staff, now=now)
    person = event.participants.earliest("pk")
    return World(
        race_pk=race.pk,
        provider_race_id=race.provider_race_id,
        event_pk=event.pk,
        finished_race_pk=finished.race_id,
        finished_event_pk=finished.pk,
        participant_pk=person.pk,
        export_pk=StartListExport.objects.latest("pk").pk,
        share_token=token,
        partner_slug=race.partner.slug,
        cycle_pk=Cycle.objects.earliest("pk").pk,
        run_pk=SyncRun.objects.filter(event=event).earliest("pk").pk,
        last_name="smith",
        former_bib="7",
        registration_id=person.registration_id,
        long_ago=f"{now - timedelta(days=150):%Y-%m-%d}",
    )


def logged_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def queries_of_all(client: Client, world: World, *, is_staff: bool) -> dict[str, int]:
    found = {}
    for address in addresses(world):
        # What staff see of a page is all that a director sees of it: theirs is looked at once, for their rights.
        if not is_staff and (address.is_staff_only or address.variant):
            continue
        headers = {"HX-Request": "true"} if address.kind in {Kind.FRAGMENT, Kind.PART} else {}
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(address.url, headers=headers)
            b"".join(answer) if answer.streaming else answer.content
        assert answer.status_code == 200, address.url
        found[address.label] = len(captured)
    return found


def more(label: str) -> int:
    """Runs of one event are read otherwise than runs of several, which costs one more question; a file has parts."""
    return 2 if label == "runs_csv" else 1 if label.startswith("runs, ") else 0


def test_every_page_asks_the_same_for_1_and_for_50_rows_and_at_most_15_queries(staff, director, world, add):
    readers = {reader: logged_in(reader) for reader in (staff, director)}

    def queries() -> dict[tuple[str, str], int]:
        return {
            ("staff" if reader.is_staff else "director", label): number
            for reader, client in readers.items()
            for label, number in queries_of_all(client, world, is_staff=reader.is_staff).items()
        }

    one = queries()
    for number in range(1, 50):
        add(number)
    many = queries()

    assert {label: (one[label], number) for label, number in many.items() if number > one[label] + more(label[1])} == {}
    assert {label: number for label, number in many.items() if number > MOST_QUERIES} == {}


def test_a_first_visit_of_every_page_is_at_most_100_kb_with_all_that_it_loads(staff, world, add):
    for number in range(1, 10):
        add(number)
    client = logged_in(staff)
    pages = [address for address in addresses(world) if address.kind is Kind.PAGE and "admin" not in address.name]

    sizes = {address.label: first_visit_bytes(client, address.url) for address in pages if not address.variant}

    assert {label: size for label, size in sizes.items() if size > MOST_BYTES} == {}
    # The shared style sheet and script are in it.
    assert min(sizes.values()) > 5_000


def test_what_is_no_page_is_still_in_the_table_of_urls():
    assert set(NO_PAGES) <= page_names()
