"""The staff page of one timing partner: its keys, what went wrong, its backfills, what its keys will be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse

from partners.models import PartnerMembership, TimingPartner
from races.models import Race, RaceAccess
from sync.core.policy import Policy
from sync.core.tiers import zone_of
from sync.web.partner_ahead import PartnerAhead, partner_ahead
from sync.web.partner_audit import AuditLine, audit_lines
from sync.web.partner_backfills import BackfillRow, backfill_rows
from sync.web.partner_errors import PartnerErrors, partner_errors
from sync.web.partner_keys import KeyPanel, key_panels, keys_of
from sync.web.race_list import ListedRaces, listed_races
from sync.web.scheduler import banner_text, last_beat


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What a partner has not yet, and where staff give it."""

    text: str
    url: str
    url_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerNow:
    """What changes by the minute."""

    keys: tuple[KeyPanel, ...]
    errors: PartnerErrors
    backfills: tuple[BackfillRow, ...]
    banner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerPage:
    now: PartnerNow
    ahead: PartnerAhead
    missing: tuple[Missing, ...]
    audit: tuple[AuditLine, ...]


def partners_with_people() -> QuerySet[TimingPartner]:
    """With whether anybody outside the staff may see its races, all of them or one, and has a password to log in."""
    members = PartnerMembership.objects.filter(partner=OuterRef("pk"))
    directors = RaceAccess.objects.filter(race__partner=OuterRef("pk"))
    no_password = Q(user__password__startswith=UNUSABLE_PASSWORD_PREFIX)
    return TimingPartner.objects.annotate(
        has_members=Exists(members),
        has_directors=Exists(directors),
        has_logins=Exists(members.exclude(no_password)) | Exists(directors.exclude(no_password)),
    )


def partner_page(*, partner: TimingPartner, now: datetime, policy: Policy) -> PartnerPage:
    """`partner` from `partners_with_people`."""
    keys = keys_of(partner)
    return PartnerPage(
        now=_now(partner, keys, now=now, policy=policy),
        ahead=partner_ahead(keys, now=now, policy=policy),
        missing=_missing(partner),
        audit=audit_lines(partner_id=partner.pk, zone=zone_of(partner.timezone), now=now),
    )


def partner_now(*, partner: TimingPartner, now: datetime, policy: Policy) -> PartnerNow:
    return _now(partner, keys_of(partner), now=now, policy=policy)


def partner_forecast(*, partner: TimingPartner, now: datetime, policy: Policy) -> PartnerAhead:
    return partner_ahead(keys_of(partner), now=now, policy=policy)


def partner_races(*, partner: TimingPartner, page_number: str | None, now: datetime) -> ListedRaces:
    """A page of its races, the coming ones first."""
    return listed_races(
        races=Race.objects.filter(partner=partner), search="", page_number=page_number, now=now, is_polled=True
    )


def _now(partner: TimingPartner, keys: list, *, now: datetime, policy: Policy) -> PartnerNow:
    zone = zone_of(partner.timezone)
    return PartnerNow(
        keys=key_panels(keys, partner=partner, zone=zone, now=now),
        errors=partner_errors(partner_id=partner.pk, slug=partner.slug, zone=zone, now=now),
        backfills=backfill_rows(partner_id=partner.pk, zone=zone, now=now),
        banner=banner_text(last_beat(now=now, policy=policy), zone=zone, now=now),
    )


def _missing(partner) -> tuple[Missing, ...]:
    settings = reverse("admin:partners_timingpartner_change", args=[partner.pk])
    people = reverse("partner_access", args=[partner.slug])
    found = []
    if not partner.contact_email:
        text = "Nobody to write to: it has no contact address."
        found.append(Missing(text=text, url=settings, url_text="Enter one"))
    if not partner.alert_email:
        text = "Nobody is told when something goes wrong: it has no alert address."
        found.append(Missing(text=text, url=settings, url_text="Enter one"))
    if not (partner.has_members or partner.has_directors):
        text = "None of its people can log in and see its races."
        found.append(Missing(text=text, url=people, url_text="Give somebody access"))
    elif not partner.has_logins:
        text = "None of its people has set a password yet."
        found.append(Missing(text=text, url=people, url_text="Send the link again"))
    return tuple(found)
