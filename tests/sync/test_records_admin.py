"""The admin of the mirror, the machine and the queue: look, search, and one switch."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule
from django_q.tasks import async_task

from races.models import Participant, ParticipantChange, Race
from sync.models import Cycle, EventSync, SyncRun
from sync.services.event_schedule import RACE_OFF, reschedule
from tests.factories import EventFactory, EventSyncFactory, ParticipantFactory, RaceFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def listing(model, query: str = "") -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") + query


def shown(answer) -> list:
    return list(answer.context["cl"].result_list)


def run_of(event) -> SyncRun:
    return SyncRun.objects.create(
        event=event, visit="6f1c0c1e-0000-4000-8000-000000000001", started_at=timezone.now(), outcome="ok"
    )


@pytest.fixture
def everything():
    """A row of each kind."""
    participant = ParticipantFactory(bib="1207", first_name="Zoë", last_name="O'Brien")
    event = participant.event
    EventSyncFactory(event=event, tier="HIGH", due_at=timezone.now())
    run = run_of(event)
    ParticipantChange.objects.create(participant=participant, kind="added", at=timezone.now(), sync_run=run)
    Cycle.objects.create(started_at=timezone.now(), finished_at=timezone.now())
    Schedule.objects.create(name="an-example", func="sync.tasks.cycle", schedule_type=Schedule.MINUTES, minutes=1)
    async_task("sync.tasks.discoveries")
    return participant


def test_every_page_of_the_admin_opens_and_nothing_on_it_is_inline(staff, everything):
    opened = 0
    for model, model_admin in admin.site._registry.items():
        pages = [staff.get(listing(model), follow=True)]
        row = model._default_manager.first()
        if row is not None:
            change = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
            pages.append(staff.get(reverse(change, args=[row.pk])))
        if model_admin.has_add_permission(pages[0].wsgi_request):
            pages.append(staff.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")))
        for page in pages:
            text = page.content.decode()
            assert page.status_code == 200, model
            assert "style=" not in text, model
            assert "onclick=" not in text, model
            assert "<script>" not in text, model
            assert "script-src 'self'" in page.headers["Content-Security-Policy"]
            opened += 1
    assert opened > 25


def test_the_admin_bears_the_products_name_and_leads_back_to_its_pages(staff):
    page = staff.get(reverse("admin:index")).content.decode()
    assert '<div id="site-name"><a href="/">Project<b>88</b></a></div>' in page
    assert "project88-admin.css" in page


VIEW_ONLY = ["event", "participant", "participantchange", "eventsync", "syncrun", "cycle", "backfill"]


@pytest.mark.parametrize("name", VIEW_ONLY)
def test_what_the_provider_or_the_machine_writes_is_not_edited_by_hand(staff, everything, name):
    model = next(model for model in admin.site._registry if model._meta.model_name == name)
    prefix = f"admin:{model._meta.app_label}_{name}"
    row = model.objects.first()
    assert staff.get(reverse(f"{prefix}_add")).status_code == 403
    if row is not None:
        assert staff.post(reverse(f"{prefix}_change", args=[row.pk]), {}).status_code == 403
        assert staff.post(reverse(f"{prefix}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
        assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("name", ["schedule", "success", "failure", "ormq"])
def test_one_unreadable_schedule_stops_all_so_the_queues_rows_are_only_looked_at(staff, everything, name):
    prefix = f"admin:django_q_{name}"
    assert staff.get(reverse(f"{prefix}_changelist")).status_code == 200
    assert staff.get(reverse(f"{prefix}_add")).status_code == 403
    schedule = Schedule.objects.first()
    change = reverse("admin:django_q_schedule_change", args=[schedule.pk])
    assert staff.post(change, {"args": "not( python"}).status_code == 403
    acted = staff.post(listing(Schedule), {"action": "delete_selected", "_selected_action": [schedule.pk]}, follow=True)
    assert acted.status_code in {200, 403}
    assert Schedule.objects.filter(pk=schedule.pk).exists()


@pytest.fixture
def race() -> Race:
    race = EventFactory(starts_at=timezone.now() + timezone.timedelta(hours=2)).race
    reschedule(events=race.events.select_related("race"), now=timezone.now())
    return race


def test_switching_a_race_off_takes_its_events_off_the_schedule_at_once_and_on_again_back(staff, race):
    url = reverse("admin:races_race_change", args=[race.pk])
    staff.post(url, {})
    row = EventSync.objects.get()
    assert (row.due_at, row.tier, row.hold_reason) == (None, None, RACE_OFF)
    staff.post(url, {"sync_enabled": "on"})
    row.refresh_from_db()
    assert row.due_at <= timezone.now()
    assert (row.tier, row.hold_reason) == ("HIGH", "")


def test_the_switch_does_not_undo_what_discovery_wrote_meanwhile(staff, race):
    url = reverse("admin:races_race_change", args=[race.pk])
    staff.get(url)
    Race.objects.filter(pk=race.pk).update(name="New Name", next_date="2026-07-04")
    staff.post(url, {"name": "Old Name"})
    race.refresh_from_db()
    assert (race.name, race.sync_enabled) == ("New Name", False)


def test_a_race_and_its_events_are_found_by_the_providers_ids_and_by_name(staff):
    wanted = EventFactory(race__name="Harbor Lights", race__provider_race_id=974559, provider_event_id=990101)
    EventFactory(race__name="Another")
    found = {
        "974559": shown(staff.get(listing(Race, "?q=974559"))),
        "harbor": shown(staff.get(listing(Race, "?q=harbor"))),
    }
    assert found == {"974559": [wanted.race], "harbor": [wanted.race]}
    assert shown(staff.get(listing(type(wanted), "?q=990101"))) == [wanted]
    assert shown(staff.get(listing(type(wanted), f"?q={'9' * 40}"))) == []


def test_runs_are_found_by_event_outcome_and_partner(staff):
    mine, other = run_of(EventFactory(provider_event_id=990101)), run_of(EventFactory())
    SyncRun.objects.filter(pk=other.pk).update(outcome="failed")
    partner = mine.event.race.partner
    assert shown(staff.get(listing(SyncRun, "?q=990101"))) == [mine]
    assert shown(staff.get(listing(SyncRun, "?outcome__exact=failed"))) == [other]
    assert shown(staff.get(listing(SyncRun, f"?partner={partner.slug}"))) == [mine]


def test_participants_are_listed_one_event_at_a_time(staff, everything):
    ParticipantFactory()
    without = staff.get(listing(Participant))
    assert shown(without) == []
    assert "Participants are listed by event" in without.content.decode()
    of_event = staff.get(listing(Participant, f"?event__id__exact={everything.event_id}"))
    assert shown(of_event) == [everything]
    by_bib = staff.get(listing(Participant, f"?event__id__exact={everything.event_id}&q=1207"))
    assert shown(by_bib) == [everything]


def test_changes_are_listed_by_participant_or_run(staff, everything):
    assert shown(staff.get(listing(ParticipantChange))) == []
    changes = list(ParticipantChange.objects.all())
    by_participant = listing(ParticipantChange, f"?participant__id__exact={everything.pk}")
    by_run = listing(ParticipantChange, f"?sync_run__id__exact={SyncRun.objects.get().pk}")
    assert shown(staff.get(by_participant)) == shown(staff.get(by_run)) == changes


@pytest.mark.parametrize("rows", [1, 40])
def test_long_lists_take_no_query_per_row(staff, django_assert_max_num_queries, rows):
    for _ in range(rows):
        event_sync = EventSyncFactory()
        run_of(event_sync.event)
    for model in (SyncRun, EventSync, type(event_sync.event), Race):
        with django_assert_max_num_queries(7):
            assert len(shown(staff.get(listing(model)))) == rows


def test_a_long_list_is_not_counted_to_its_end(staff, monkeypatch):
    monkeypatch.setattr("partners.view_only_admin.COUNTED", 3)
    for _ in range(5):
        RaceFactory()
    assert staff.get(listing(Race)).context["cl"].result_count == 3


def test_a_director_is_given_a_race_by_search(staff, race):
    user = UserFactory()
    staff.post(reverse("admin:races_raceaccess_add"), {"user": user.pk, "race": race.pk})
    assert race.access.get().user == user
    asked = {"app_label": "races", "model_name": "raceaccess", "field_name": "race", "term": str(race.provider_race_id)}
    found = staff.get(reverse("admin:autocomplete"), asked).json()
    assert [result["text"] for result in found["results"]] == [race.name]


def test_staff_who_may_only_look_see_pages_without_any_input(client, everything):
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    race = everything.event.race
    for name, row in (("race", race), ("timingpartner", race.partner), ("credential", race.credential)):
        app = row._meta.app_label
        page = client.get(reverse(f"admin:{app}_{name}_change", args=[row.pk]))
        assert page.status_code == 200
        assert 'type="password"' not in page.content.decode()
        assert 'name="_verify"' not in page.content.decode()
        assert client.post(reverse(f"admin:{app}_{name}_change", args=[row.pk]), {}).status_code == 403


def test_people_without_the_staff_right_see_no_admin(client):
    client.force_login(UserFactory())
    assert client.get(reverse("admin:index")).status_code == 404
