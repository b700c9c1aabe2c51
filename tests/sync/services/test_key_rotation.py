"""Replacing a key without a gap, through its page, against the sandbox."""

from __future__ import annotations

from dataclasses import replace as replaced

import pytest
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ

from partners import providers
from partners.audit import Actor
from partners.gate import database_now
from partners.models import ApiUsage, AuditEntry, CallBudget, Credential
from races.models import Event, Race
from sync.models import EventSync
from sync.services.asking import events_ask_sync, events_to_ask
from sync.services.cycles import cycle_run
from sync.services.lanes import lane_run
from sync.services.leases import lane_claim
from sync.services.offboarding import partner_leave
from tests.factories import UserFactory
from tests.sync.provider_stage import HookedTransport, Stage, from_now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(stage: Stage) -> Credential:
    """With one race that starts soon, discovered."""
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    return stage.key


@pytest.fixture
def fresh(stage: Stage):
    """Another key of the same account at the provider."""
    old = stage.world.keys[stage.key.api_key]
    other = replaced(old, key="fresh-key-1", secret="fresh-secret-0123456789", race_ids=list(old.race_ids))
    stage.world.keys[other.key] = other
    return other


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def replace(client, key, new, **changes):
    url = reverse("key_rotate", args=[key.partner.slug, key.pk])
    fields = {"api_key": new.key, "secret": new.secret, "key_style": "query"}
    return client.post(url, fields | changes, follow=True)


def test_all_races_change_over_at_once_and_the_old_key_is_paused(staff, key, fresh):
    budget = CallBudget.objects.filter(credential=key).values().get()
    page = replace(staff, key, fresh).content.decode()

    new = Credential.objects.get(api_key=fresh.key)
    old = Credential.objects.get(pk=key.pk)
    assert (new.label, new.status, new.hourly_limit) == ("main", "ok", key.hourly_limit)
    assert (old.status, old.label) == ("paused", f"main until {database_now():%Y-%m-%d}")
    assert Race.objects.get().credential == new
    assert EventSync.objects.get().credential == new
    # A budget of its own: the old one's stays what it was, the new one's has only the two calls of the test.
    assert CallBudget.objects.filter(credential=key).values().get() == budget
    assert ApiUsage.objects.get(credential=new).calls == 2
    assert "1 race changed over." in page
    assert fresh.secret not in page
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.object_id, entry.detail) == ("key_replaced", str(new.pk), {"races": 1})
    assert entry.user is not None
    cycle_run(now=database_now(), slot=None)
    assert lane_run(credential_id=new.pk).outcomes == ["ok"]


def test_a_lane_under_way_keeps_its_claim(staff, key, fresh):
    fence = lane_claim(key.pk)
    replace(staff, key, fresh)
    budget = CallBudget.objects.get(credential=key)
    assert (budget.lane_fence, budget.lane_lease_until > database_now()) == (fence, True)


def test_a_new_secret_of_the_same_key_keeps_its_budget(staff, key, stage):
    old = stage.world.keys[key.api_key]
    old.secret = "quite-another-secret-0001"
    spent = ApiUsage.objects.get(credential=key).calls
    replace(staff, key, old)
    stored = Credential.objects.get(pk=key.pk)
    assert (stored.api_secret.reveal(), stored.status, Credential.objects.count()) == (old.secret, "ok", 1)
    assert AuditEntry.objects.latest("pk").action == "secret_changed"
    assert sum(ApiUsage.objects.filter(credential=key).values_list("calls", flat=True)) == spent + 2


def test_a_key_that_does_not_work_changes_nothing(staff, key, fresh):
    page = replace(staff, key, fresh, secret="wrong-secret-0000").content.decode()
    assert "does not accept this key and secret" in page
    assert "The old key stays in use" in page
    assert not AuditEntry.objects.filter(action="key_replaced").exists()
    assert "wrong-secret-0000" not in page
    assert Credential.objects.get() == key
    assert Race.objects.get().credential == key


def test_a_key_that_misses_upcoming_races_is_asked_about_first(staff, key, fresh):
    fresh.race_ids.clear()
    page = replace(staff, key, fresh).content.decode()
    assert "it does not see 1 upcoming race of the old one" in page
    assert Race.objects.get().credential == key
    replace(staff, key, fresh, even_if_unseen="1")
    assert Race.objects.get().credential.api_key == fresh.key


@pytest.mark.parametrize(("before", "after"), [("paused", "paused"), ("refused", "ok")])
def test_a_paused_key_stays_paused_and_a_refused_one_resumes(staff, key, fresh, before, after):
    Credential.objects.update(status=before)
    EventSync.objects.update(failures=3, due_at=from_now(hours=5))
    replace(staff, key, fresh)
    assert Credential.objects.get(api_key=fresh.key).status == after
    assert (EventSync.objects.get().failures == 0) == (before == "refused")
    assert OrmQ.objects.filter(key="sync").exists()


def test_a_wish_that_was_read_before_the_swap_does_not_bring_the_old_key_back(staff, key, fresh):
    """Somebody clicks "Sync now" while the keys change over, and waits behind it for the rows."""
    events = list(events_to_ask(Event.objects.all()))
    replace(staff, key, fresh)

    events_ask_sync(events=events, now=database_now(), call_lanes=False)

    new = Credential.objects.get(api_key=fresh.key)
    assert set(EventSync.objects.values_list("credential_id", flat=True)) == {new.pk}


@pytest.mark.parametrize("same_key", [True, False])
def test_a_key_that_is_tested_while_its_partner_leaves_is_not_stored(staff, key, fresh, stage, monkeypatch, same_key):
    boss = UserFactory(is_staff=True, is_superuser=True)
    left = []

    def leaves(_path, _params):
        if not left:
            left.append(key.partner)
            by = Actor(user_id=boss.pk, name="boss", address="")
            partner_leave(partner=key.partner, typed_slug=key.partner.slug, erase=False, by=by, now=database_now())

    real = providers.make_transport_for
    monkeypatch.setattr(providers, "make_transport_for", lambda **entered: HookedTransport(real(**entered), leaves))
    new = replaced(fresh, key=key.api_key, secret=stage.world.keys[key.api_key].secret) if same_key else fresh
    shown = replace(staff, key, new).content.decode()

    assert left
    assert "deleted while" in shown
    gone = Credential.objects.get()
    assert (gone.api_secret.reveal(), gone.status) == ("", Credential.Status.REFUSED)
