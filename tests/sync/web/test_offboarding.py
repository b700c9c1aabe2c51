"""A partner leaves: access and keys at once; its data kept, or erased in batches that can be stopped at any time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from partners import onboarding
from partners.credential_problems import CredentialProblem
from partners.documents import CredentialReport
from partners.models import ApiUsage, CallBudget, Credential, PartnerMembership, TimingPartner
from partners.secret import Secret
from races.models import Event, HeldRemoval, Participant, ParticipantChange, Race, ShareLink, StartListExport
from races.share_links import share_link_create, share_link_find
from sync.models import Backfill, BackfillStep, EventDay, SyncRun
from sync.services import erasure
from sync.services.cycles import blocked_reason
from tests.factories import ParticipantFactory, RaceFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture
def boss(log_in):
    return log_in(UserFactory(is_staff=True, is_superuser=True))


def leave(client, partner, *, data: str = "keep", slug: str | None = None):
    entry = {"data": data, "slug": partner.slug if slug is None else slug}
    return client.post(reverse("partner_leave", args=[partner.slug]), entry, follow=True)


def test_access_keys_and_links_go_at_once_and_the_data_stays(boss, race, director, member, scheduled, now, log_in):
    ParticipantFactory(event=scheduled())
    _link, token = share_link_create(
        race=race, label="tent", expires_at=now + timedelta(days=9), created_by=member, now=now
    )
    client = log_in(member)
    shown = leave(boss, race.partner).content.decode()

    assert "1 key deleted, 2 people lost access, 1 link revoked, 2 accounts closed" in shown
    assert client.get(reverse("race_page", args=[race.pk])).status_code == 302
    director.refresh_from_db()
    assert not director.is_active
    assert share_link_find(token=token, now=now) is None
    credential = Credential.objects.select_related("partner").get()
    assert (credential.api_secret.reveal(), credential.status) == ("", "refused")
    assert credential.api_key == f"deleted-{credential.pk}"
    assert blocked_reason(credential)
    assert Participant.objects.count() == 1


def test_without_the_slug_typed_nothing_happens(boss, race, member):
    assert "Nothing happened: type" in leave(boss, race.partner, data="erase", slug="no").content.decode()
    assert PartnerMembership.objects.exists()
    assert TimingPartner.objects.get().is_active


def test_who_sees_other_races_too_keeps_the_account(boss, race, director):
    PartnerMembership.objects.create(user=director, partner=RaceFactory().partner)
    leave(boss, race.partner)
    director.refresh_from_db()
    assert director.is_active


def everything_of(race, event, now) -> None:
    person = ParticipantFactory(event=event)
    ParticipantChange.objects.create(participant=person, kind="added", at=now)
    HeldRemoval.objects.create(event=event, found_at=now, registration_ids=[1], listed_before=30)
    StartListExport.objects.create(race=race, made_at=now, format="csv", rows=1, heading={}, snapshot=b"")
    EventDay.objects.create(event=event, day=now.date(), planned=1, done=1, failed=0, rolled_up_at=now)
    load = Backfill.objects.create(partner=race.partner, started_at=now)
    BackfillStep.objects.create(backfill=load, race=race)
    CallBudget.objects.create(credential=race.credential)
    ApiUsage.objects.create(credential=race.credential, minute=now, calls=1)


def test_erasing_leaves_nothing_of_it_and_everything_of_others(boss, race, scheduled, run_of, now, monkeypatch):
    monkeypatch.setattr(erasure, "ROWS_PER_TRANSACTION", 2)
    event = scheduled()
    run_of(event)
    everything_of(race, event, now)
    for _ in range(4):
        ParticipantFactory(event=event)
    stranger = ParticipantFactory()
    page = leave(boss, race.partner, data="erase").content.decode()
    assert "Its data is being erased" in page
    counts = {goes.what: goes.number for goes in erasure.erasure_counts(race.partner)}
    assert (counts["registrations"], counts["sync runs"], counts["races"]) == (5, 1, 1)

    stops = iter([True])
    assert not erasure.partner_erase(partner_id=race.partner_id, stop=lambda: next(stops, False))
    assert 0 < Participant.objects.filter(event=event).count() < 5
    assert erasure.partner_erase(partner_id=race.partner_id)

    assert not TimingPartner.objects.filter(pk=race.partner_id).exists()
    left = (ParticipantChange, HeldRemoval, StartListExport, ShareLink, SyncRun, EventDay, Backfill, ApiUsage)
    assert [model.objects.count() for model in left] == [0] * len(left)
    assert (Participant.objects.get(), Event.objects.get(), Race.objects.get()) == (
        stranger,
        stranger.event,
        stranger.event.race,
    )
    # A task that comes too late finds nothing to do.
    assert erasure.partner_erase(partner_id=race.partner_id)


def test_nothing_is_erased_of_a_partner_that_is_only_off_boarded(boss, race):
    leave(boss, race.partner)
    assert erasure.erasures_continue() == []
    erasure.partner_erase(partner_id=race.partner_id)
    assert Race.objects.get() == race


def test_a_load_under_way_loses_its_claim(boss, race, now):
    load = Backfill.objects.create(partner=race.partner, started_at=now, lease_until=now, fence=3, by_cluster=True)
    leave(boss, race.partner)
    load.refresh_from_db()
    assert (load.fence, load.lease_until, load.by_cluster) == (4, None, False)


def test_one_turn_of_an_erasure_at_a_time(boss, race):
    """Each other would hold a worker that the lanes need, until it has its turn."""
    leave(boss, race.partner, data="erase")
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended('sync.erasure', %s))", [race.partner_id])
        assert not erasure.erasure_turn(partner_id=race.partner_id)
        assert Race.objects.exists()
    finally:
        other.close()
    assert erasure.erasure_turn(partner_id=race.partner_id)
    assert not Race.objects.exists()


def test_a_partner_that_is_being_erased_is_not_resumed_and_gets_no_key(boss, race):
    partner = race.partner
    leave(boss, partner, data="erase")
    url = reverse("admin:partners_timingpartner_change", args=[partner.pk])
    shown = boss.post(reverse("admin:partners_timingpartner_action", args=[partner.pk, "resume_partners"]), follow=True)
    assert f"Being erased, so not resumed: {partner}." in shown.content.decode()
    boss.post(url, {"name": partner.name, "timezone": partner.timezone, "is_active": "on"})
    partner.refresh_from_db()
    assert not partner.is_active

    report = CredentialReport(races=1, upcoming_events=1, participants_readable=True, detail="")
    key = Credential(api_key="another-key", api_secret=Secret("another-secret-0123"), label="another")
    with pytest.raises(CredentialProblem, match="is being erased"):
        onboarding.tested_key_store(
            partner=partner, credential=key, report=report, now=timezone.now(), with_history=False
        )
    assert Credential.objects.count() == 1
