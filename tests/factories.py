"""Graphs of model rows for tests: `EventFactory()` brings its race, partner and credential."""

from __future__ import annotations

from datetime import UTC, datetime

import factory
from django.contrib.auth import get_user_model
from factory.django import DjangoModelFactory

from partners.models import Credential, PartnerMembership, TimingPartner
from partners.secret import Secret
from races.models import Event, Participant, Race, RaceAccess
from sync.models import EventSync


class TimingPartnerFactory(DjangoModelFactory):
    class Meta:
        model = TimingPartner

    name = factory.Sequence(lambda n: f"Timing Company {n}")
    slug = factory.Sequence(lambda n: f"timing-company-{n}")
    contact_email = "crew@example.test"


class CredentialFactory(DjangoModelFactory):
    class Meta:
        model = Credential

    partner = factory.SubFactory(TimingPartnerFactory)
    api_key = factory.Sequence(lambda n: f"test-key-{n}")
    api_secret = factory.LazyFunction(lambda: Secret("test-secret-0123456789"))
    status = Credential.Status.OK


class RaceFactory(DjangoModelFactory):
    class Meta:
        model = Race

    credential = factory.SubFactory(CredentialFactory)
    partner = factory.SelfAttribute("credential.partner")
    provider_race_id = factory.Sequence(lambda n: 500_000 + n)
    name = factory.Sequence(lambda n: f"Harbor Lights {n}")
    timezone = "America/New_York"


class EventFactory(DjangoModelFactory):
    class Meta:
        model = Event

    race = factory.SubFactory(RaceFactory)
    provider_event_id = factory.Sequence(lambda n: 700_000 + n)
    name = "5K"
    starts_at = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)


class EventSyncFactory(DjangoModelFactory):
    class Meta:
        model = EventSync

    event = factory.SubFactory(EventFactory)
    credential = factory.SelfAttribute("event.race.credential")


class ParticipantFactory(DjangoModelFactory):
    class Meta:
        model = Participant

    event = factory.SubFactory(EventFactory)
    registration_id = factory.Sequence(lambda n: 9_000_000 + n)
    first_name = "Ada"
    last_name = factory.Sequence(lambda n: f"Runner{n}")
    raw_hash = b"\x00" * 16
    content_hash = b"\x00" * 16


class UserFactory(DjangoModelFactory):
    class Meta:
        model = get_user_model()

    username = factory.Sequence(lambda n: f"user{n}")


class PartnerMembershipFactory(DjangoModelFactory):
    class Meta:
        model = PartnerMembership

    user = factory.SubFactory(UserFactory)
    partner = factory.SubFactory(TimingPartnerFactory)


class RaceAccessFactory(DjangoModelFactory):
    class Meta:
        model = RaceAccess

    user = factory.SubFactory(UserFactory)
    race = factory.SubFactory(RaceFactory)
