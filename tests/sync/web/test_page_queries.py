"""A page's cost does not grow with what it shows: at most 15 queries, those for the session and the user included."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from partners.models import ApiUsage, CallBudget
from races.models import Event, HeldRemoval, Participant, ParticipantChange, RaceAccess, StartListExport
from sync.models import Backfill, BackfillStep, EventSync
from tests.factories import CredentialFactory, EventFactory, EventSyncFactory, ParticipantFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

MOST = 15
LOADED = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def view_clock(monkeypatch, now):
    """The tests' clock, asked for with a query as the true one is."""

    def asked():
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
        return now

    for views in (
        "views",
        "operations_views",
        "export_views",
        "receipt_views",
        "participant_views",
        "partner_views",
        "weekend_views",
    ):
        monkeypatch.setattr(f"sync.web.{views}.database_now", asked)


def queries_of(client, url: str, **headers) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url, headers=headers).status_code == 200
    return len(captured)


@pytest.fixture
def asks_the_same(log_in):
    """Asks for pages as `reader` with one row and with the many that `more` makes: as often, and at most `most`."""

    def checked(reader, urls, more, *, most: int = MOST) -> None:
        client = log_in(reader)
        before = {url: queries_of(client, url, **LOADED) for url in urls}
        more()
        assert {url: queries_of(client, url, **LOADED) for url in urls} == before
        assert max(before.values()) <= most

    return checked


@pytest.fixture
def busy(race, scheduled, run_of, now):
    """An event with everything that a page may have to ask for: a failing try, a pause, a lane, doubts, a removal that
    waits for a decision, one who moved, and an earlier edition."""

    def make(name: str = "5K"):
        event = scheduled(
            name,
            failures=2,
            picked_at=now - timedelta(minutes=1),
            due_at=now - timedelta(minutes=1),
            changed_at=now - timedelta(days=9),
            hold_reason="removals are held",
        )
        CallBudget.objects.get_or_create(
            credential=race.credential, defaults={"lane_lease_until": now + timedelta(seconds=30)}
        )
        run_of(event, outcome="failed", error_text="no answer")
        people = ParticipantFactory.create_batch(2, event=event, bib="7")
        elsewhere = ParticipantFactory(event=EventFactory(race=race, starts_at=now - timedelta(days=400)))
        ParticipantFactory(
            event=event,
            removed_at=now,
            removed_reason="transferred",
            successor_registration_id=elsewhere.registration_id,
        )
        HeldRemoval.objects.create(event=event, registration_ids=[1], listed_before=9, found_at=now)
        changes = {"bib": ["1", "7"]}
        ParticipantChange.objects.create(participant=people[0], at=now, kind="changed", changes=changes)
        return event

    return make


def test_the_race_list_asks_the_same_for_1_and_for_50_races(asks_the_same, director, race, scheduled, now):
    scheduled()

    def more() -> None:
        for number in range(49):
            other = RaceFactory()
            RaceAccess.objects.create(user=director, race=other)
            start = now + timedelta(days=number)
            EventSyncFactory(
                event=EventFactory(race=other, starts_at=start), tier="LOW", due_at=now + timedelta(minutes=9)
            )

    asks_the_same(director, [reverse("race_list"), reverse("race_list_live")], more, most=13)


def test_the_race_list_asks_the_same_when_1_or_50_events_fail(asks_the_same, director, race, busy):
    busy()
    urls = [reverse("race_list"), reverse("race_list_live")]

    asks_the_same(director, urls, lambda: [busy(f"Event {number}") for number in range(49)], most=14)


def test_the_race_page_asks_the_same_for_1_and_for_50_events(asks_the_same, director, race, busy):
    busy()
    args = [race.pk]
    pages, live = [reverse("race_page", args=args)], [reverse("race_live", args=args)]
    parts = [reverse(name, args=args) for name in ("race_checks", "race_doubts")]

    asks_the_same(director, [*pages, *live, *parts], lambda: [busy(f"Event {number}") for number in range(49)])


def test_the_event_page_asks_the_same_for_1_and_for_50_people_and_runs(asks_the_same, director, race, busy, run_of):
    event = busy()
    args = [race.pk, event.pk]
    page = reverse("event_page", args=args)
    parts = [
        reverse(name, args=args)
        for name in ("event_live", "event_day_live", "event_why", "event_doubts", "event_receipt")
    ]

    def more() -> None:
        for number in range(49):
            ParticipantFactory(event=event, bib="7")
            elsewhere = ParticipantFactory(event=EventFactory(race=race))
            ParticipantFactory(
                event=event,
                removed_at=event.starts_at,
                removed_reason="transferred",
                successor_registration_id=elsewhere.registration_id,
            )
            run_of(event, ago=timedelta(minutes=number))

    asks_the_same(director, [page, f"{page}?q=ada", *parts], more)


def test_what_an_event_page_looks_at_again_costs_less_than_the_page(log_in, director, race, busy):
    event = busy()
    client, args = log_in(director), [race.pk, event.pk]

    # One more for the stamp, which saves all but four of them while nothing changes.
    assert queries_of(client, reverse("event_live", args=args), **LOADED) <= 10
    assert queries_of(client, reverse("event_why", args=args), **LOADED) <= 9
    EventSync.objects.filter(event=event).update(picked_at=None)
    assert queries_of(client, reverse("event_why", args=args), **LOADED) <= 14
    assert queries_of(client, reverse("event_doubts", args=args), **LOADED) <= 12


def test_a_participants_page_asks_the_same_for_1_and_for_50_changes(asks_the_same, director, race, busy, now):
    busy()
    person = Participant.objects.get(removed_reason="transferred")

    def changed(number: int) -> None:
        changes = {"bib": ["", str(number)]}
        ParticipantChange.objects.create(participant=person, at=now, kind="changed", changes=changes)

    changed(0)
    url = reverse("participant_page", args=[race.pk, person.pk])
    asks_the_same(director, [url], lambda: [changed(number) for number in range(1, 50)])


def test_changes_since_an_export_ask_the_same_for_1_and_for_50_people(asks_the_same, log_in, director, race, busy):
    event = busy()
    answer = log_in(director).post(reverse("start_list_export", args=[race.pk]), {"format": "csv"})
    b"".join(answer.streaming_content)
    ParticipantFactory(event=event)
    args = [race.pk, StartListExport.objects.get().pk]
    urls = [reverse(name, args=args) for name in ("export_changes", "export_changes_count")]

    asks_the_same(director, urls, lambda: ParticipantFactory.create_batch(49, event=event))


def test_staff_pages_ask_the_same_for_1_and_for_50_keys_and_races(asks_the_same, staff, race, busy, run_of, now):
    busy()
    key, partner = race.credential, race.partner
    ApiUsage.objects.create(credential=key, minute=now - timedelta(minutes=5), calls=9, throttled=1)
    backfill = Backfill.objects.create(partner=partner, started_at=now - timedelta(hours=1))
    BackfillStep.objects.create(backfill=backfill, race=race, status="failed", error_text="no answer")
    staff_pages = ("operations", "operations_live", "operations_keys", "operations_day", "weekend", "runs", "cycles")
    pages = [reverse(name) for name in staff_pages]
    names = ("partner_page", "partner_live", "partner_ahead", "partner_races")
    urls = [*pages, *(reverse(name, args=[partner.slug]) for name in names), f"{reverse('search')}?q=ada"]

    def more() -> None:
        start = race.events.latest("starts_at").starts_at
        for number in range(49):
            key = CredentialFactory(partner=partner, label=f"Key {number}")
            event = EventFactory(race=RaceFactory(partner=partner, credential=key), starts_at=start)
            EventSyncFactory(event=event, tier="HIGH", due_at=now)
            run_of(event, outcome="failed", error_text="no answer", error_class=f"Class{number}")
            ApiUsage.objects.create(credential=key, minute=now - timedelta(minutes=5), calls=9, throttled=1)
            load = Backfill.objects.create(partner=partner, started_at=now - timedelta(hours=1))
            BackfillStep.objects.create(backfill=load, race=event.race, status="failed", error_text="no answer")

    asks_the_same(staff, urls, more)
    assert Event.objects.count() > 50
