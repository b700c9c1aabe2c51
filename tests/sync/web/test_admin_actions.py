"""Sync now, Pause, Resume and Reconcile of races and events in the admin, through the services of the pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ

from races.models import Event, Race
from sync.models import EventSync, SyncRun
from sync.services.cycles import cycle_run
from sync.services.event_schedule import RACE_OFF
from tests.factories import EventFactory, EventSyncFactory, RaceFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def admin_clock(monkeypatch, now):
    monkeypatch.setattr("sync.race_admin.database_now", lambda: now)


@pytest.fixture
def admin(log_in) -> Client:
    return log_in(UserFactory(is_staff=True, is_superuser=True))


def press(client: Client, row, action: str):
    return client.post(reverse(f"admin:races_{row._meta.model_name}_action", args=[row.pk, action]), follow=True)


def act(client: Client, model, action: str, rows):
    url = reverse(f"admin:races_{model._meta.model_name}_changelist")
    return client.post(url, {"action": action, "_selected_action": [row.pk for row in rows]})


def messages_of(answer) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def change_page(client: Client, row):
    return client.get(reverse(f"admin:races_{row._meta.model_name}_change", args=[row.pk]))


def buttons_of(client: Client, row) -> list[str]:
    return [button.label for button in change_page(client, row).context["object_buttons"]]


def test_sync_now_of_a_race_is_that_of_its_page_and_says_when_it_begins(admin, race, scheduled, now):
    scheduled("5K")
    scheduled("10K")

    said = messages_of(press(admin, race, "sync_now"))

    assert said == ["Asked for a sync of 2 events of Casco Bay Races: next for this key, within 10 s."]
    assert set(EventSync.objects.values_list("due_trigger", "picked_at")) == {("manual", now)}
    assert OrmQ.objects.count() == 1
    assert LogEntry.objects.get().change_message == "Asked for a sync."
    assert messages_of(press(admin, race, "sync_now")) == ["2 events waited for it or ran already."]
    assert OrmQ.objects.count() == 1


def test_sync_now_of_an_event_leaves_its_siblings_alone(admin, scheduled):
    event, other = scheduled("5K"), scheduled("10K")

    press(admin, event, "sync_now")

    assert EventSync.objects.get(event=event).due_trigger == "manual"
    assert EventSync.objects.get(event=other).due_trigger == "scheduled"


def test_sync_now_of_a_race_leaves_its_past_editions_alone(admin, race, scheduled, now):
    scheduled()
    past = EventFactory(race=race, starts_at=now - timedelta(days=365))
    EventSyncFactory(event=past)

    press(admin, race, "sync_now")

    assert EventSync.objects.get(event=past).due_trigger == "scheduled"


def test_reconcile_is_due_at_once_and_planned_by_the_next_cycle_like_all_else(admin, scheduled, now):
    event = scheduled(reconciled_at=now - timedelta(hours=2))

    said = messages_of(press(admin, event, "reconcile"))

    row = EventSync.objects.get()
    assert said == ["Asked for a full comparison of 1 event of Casco Bay Races: next for this key, within 10 s."]
    assert (row.due_trigger, row.due_at, row.picked_at) == ("reconcile", now, None)
    assert not OrmQ.objects.exists()
    assert messages_of(press(admin, event, "reconcile")) == ["1 event waited for it or ran already."]
    assert cycle_run(now=now, call_lanes=False).decisions[0].verdict == "run"
    assert EventSync.objects.get().picked_at == now


def test_sync_now_hurries_a_comparison_up_and_does_not_replace_it(admin, scheduled, now):
    event = scheduled(reconciled_at=now - timedelta(hours=2))
    press(admin, event, "reconcile")

    press(admin, event, "sync_now")

    row = EventSync.objects.get()
    assert (row.due_trigger, row.picked_at) == ("reconcile", now)


def test_what_was_just_compared_is_not_compared_again(admin, scheduled, now):
    event = scheduled(reconciled_at=now - timedelta(seconds=5))

    assert messages_of(press(admin, event, "reconcile")) == ["1 event had it a few seconds ago: nothing to do."]
    assert EventSync.objects.get().due_trigger == "scheduled"


def test_a_race_is_paused_and_resumed_by_its_buttons(admin, race, scheduled, now):
    scheduled()
    assert buttons_of(admin, race) == ["Sync now", "Pause", "Reconcile"]

    said = messages_of(press(admin, race, "pause_races"))

    assert said[0].startswith("Paused: Casco Bay Races. Their events left the schedule at once")
    assert EventSync.objects.values_list("due_at", "hold_reason").get() == (None, RACE_OFF)
    assert buttons_of(admin, race) == ["Resume"]
    press(admin, race, "resume_races")
    assert EventSync.objects.values_list("due_at", "hold_reason").get() == (now, "")
    assert list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True)) == ["Paused.", "Resumed."]


def test_what_cannot_be_synced_says_why_and_leaves_no_trace(admin, race, scheduled):
    event = scheduled()
    race.credential.status = "paused"
    race.credential.save()

    said = messages_of(press(admin, event, "sync_now"))

    assert said == [f"1 event: Not synced: the key {race.credential} is paused by staff."]
    assert not OrmQ.objects.exists()
    assert not LogEntry.objects.exists()
    assert messages_of(press(admin, RaceFactory(), "sync_now")) == [
        "There are no events to ask for yet: run a discovery."
    ]


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.parametrize("action", ["sync_now", "reconcile", "pause_races"])
def test_an_action_on_many_races_is_a_handful_of_queries(admin, django_assert_max_num_queries, rows, action, now):
    events = EventFactory.create_batch(rows, starts_at=now + timedelta(hours=2))
    for event in events:
        EventSyncFactory(event=event, tier="HIGH", due_at=now + timedelta(seconds=20))

    with django_assert_max_num_queries(25):
        act(admin, Race, action, [event.race for event in events])

    assert LogEntry.objects.count() == rows
    assert OrmQ.objects.count() == (1 if action == "sync_now" else 0)


def test_of_many_races_it_is_said_when_the_first_and_the_last_begin(admin, race, scheduled, now):
    scheduled()
    for _ in range(5):
        other = EventFactory(race=RaceFactory(credential=race.credential), starts_at=now + timedelta(hours=2))
        EventSyncFactory(event=other, tier="HIGH", due_at=now + timedelta(seconds=20))

    act(admin, Race, "sync_now", Race.objects.all())

    (said,) = messages_of(admin.get(reverse("admin:index")))
    assert said == "Asked for a sync of 6 events of 6 races: the first begins within 10 s, the last within 10 s."


def test_who_may_only_look_sees_no_button_and_no_action_and_can_do_neither(log_in, race, scheduled):
    event = scheduled()
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = log_in(user)

    for row, model in ((race, Race), (event, Event)):
        assert change_page(client, row).context["object_buttons"] == []
        listing = client.get(reverse(f"admin:races_{model._meta.model_name}_changelist")).content.decode()
        assert "sync_now" not in listing
        assert press(client, row, "sync_now").status_code == 403
        act(client, model, "sync_now", [row])
    assert not EventSync.objects.filter(due_trigger="manual").exists()


def test_who_operates_may_ask_for_events_though_nothing_of_them_is_edited(log_in, scheduled):
    event = scheduled()
    user = UserFactory(is_staff=True)
    user.groups.add(Group.objects.get(name="Operate"))

    assert press(log_in(user), event, "sync_now").status_code == 200
    assert EventSync.objects.get().due_trigger == "manual"


def test_records_lead_to_their_pages_and_the_pages_back(admin, race, scheduled, run_of):
    event = scheduled()
    run = run_of(event)
    places = {
        f"/admin/races/race/{race.pk}/change/": f"/races/{race.pk}/",
        f"/admin/races/event/{event.pk}/change/": f"/races/{race.pk}/events/{event.pk}/",
        f"/admin/sync/eventsync/{event.pk}/change/": f"/races/{race.pk}/events/{event.pk}/",
        f"/admin/sync/syncrun/{run.pk}/change/": f"/races/{race.pk}/events/{event.pk}/?run={run.pk}#history",
    }
    for record, page in places.items():
        assert f'<a href="{page}" class="viewsitelink">' in admin.get(record).content.decode()
    for page, record in ((f"/races/{race.pk}/", "race"), (f"/races/{race.pk}/events/{event.pk}/", "event")):
        pk = race.pk if record == "race" else event.pk
        assert f'href="/admin/races/{record}/{pk}/change/"' in admin.get(page).content.decode()
    assert SyncRun.objects.count() == 1


def test_a_date_and_a_time_have_labels_of_their_own(admin):
    page = admin.get(reverse("admin:auth_user_change", args=[UserFactory().pk])).content.decode()

    for name in ("last_login", "date_joined"):
        assert f'<label for="id_{name}_0">Date:</label>' in page
        assert f'<label for="id_{name}_1">Time:</label>' in page
