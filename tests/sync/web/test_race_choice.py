"""Choosing the races of a partner: all are on; who unticks one takes it off the schedule."""

from __future__ import annotations

import pytest
from django.urls import reverse

from sync.models import EventSync
from tests.factories import RaceFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture(autouse=True)
def clock(monkeypatch, now):
    monkeypatch.setattr("sync.web.onboarding_views.database_now", lambda: now)


@pytest.fixture
def boss(log_in):
    return log_in(UserFactory(is_staff=True, is_superuser=True))


def test_an_unticked_race_is_switched_off_and_a_ticked_one_comes_back(boss, race, scheduled):
    event = scheduled()
    other = RaceFactory(partner=race.partner, credential=race.credential)
    found_meanwhile = RaceFactory(partner=race.partner, credential=race.credential)
    url = reverse("partner_races_choose", args=[race.partner.slug])
    assert boss.get(url).content.decode().count("checked") == 3

    answer = boss.post(url, {"shown": [race.pk, other.pk], "race": [other.pk]}, follow=True)
    assert "1 race switched off, 0 switched on." in answer.content.decode()
    assert EventSync.objects.get(event=event).due_at is None
    found_meanwhile.refresh_from_db()
    assert found_meanwhile.sync_enabled

    boss.post(url, {"shown": [race.pk, other.pk], "race": [race.pk, other.pk]})
    assert EventSync.objects.get(event=event).due_at is not None


def test_races_of_another_partner_are_not_switched(boss, race):
    foreign = RaceFactory()
    boss.post(reverse("partner_races_choose", args=[race.partner.slug]), {"shown": [foreign.pk]})
    foreign.refresh_from_db()
    assert foreign.sync_enabled
