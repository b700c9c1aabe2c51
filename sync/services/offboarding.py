"""A partner leaves: access and keys go at once, its data stays or is erased (see `erasure`)."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import F, Q

from partners.audit import Action, Actor, audit_note
from partners.models import Credential, PartnerMembership, TimingPartner
from partners.rights import STAFF_ACCOUNTS
from partners.secret import Secret
from races.models import RaceAccess, ShareLink
from sync.models import Backfill

logger = logging.getLogger(__name__)

# What stands in place of a key; with the row's number, because keys are unique.
GONE = "deleted-"


class NotConfirmed(Exception):
    """The partner's slug was not typed, so nothing happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What went at once. `accounts`: of people who now see nothing at all; they cannot log in any more."""

    people: int
    accounts: int
    links: int
    keys: int


def partner_leave(*, partner: TimingPartner, typed_slug: str, erase: bool, by: Actor, now: datetime) -> Left:
    """Take all access and all keys of this partner; with `erase`, ask for its data to be erased. May be asked twice:
    first to keep, later to erase. Raises NotConfirmed unless `typed_slug` is its slug.

    A visit under way may end with the key that it holds in memory; no other begins.
    """
    if typed_slug.strip() != partner.slug:
        raise NotConfirmed
    with transaction.atomic():
        row = TimingPartner.objects.select_for_update().get(pk=partner.pk)
        was_here, erasure_is_new = row.is_active, erase and row.erase_asked_at is None
        row.is_active, row.left_at = False, row.left_at or now
        row.erase_asked_at = row.erase_asked_at or (now if erase else None)
        row.save(update_fields=["is_active", "left_at", "erase_asked_at"])
        left = Left(
            **_people_go(partner),
            links=ShareLink.objects.filter(race__partner=partner, revoked_at=None).update(
                revoked_at=now, revoked_by_id=by.user_id
            ),
            keys=_keys_go(partner, now=now),
        )
        if was_here or any(asdict(left).values()):
            audit_note(action=Action.PARTNER_LEFT, by=by, target=row, detail=asdict(left), now=now)
        if erasure_is_new:
            audit_note(action=Action.ERASURE_ASKED, by=by, target=row, now=now)
        # A load that is under way finds at its next page that it is not its any more.
        loads = Backfill.objects.filter(Q(partner=partner) | Q(race__partner=partner))
        loads.exclude(status=Backfill.Status.DONE).update(
            fence=F("fence") + 1, lease_until=None, status=Backfill.Status.INTERRUPTED, by_cluster=False
        )
    logger.info(
        "Partner left",
        extra={"action": "partner_left", "partner": partner.slug, "erase": erase, "keys": left.keys},
    )
    return left


def _people_go(partner: TimingPartner) -> dict[str, int]:
    members = PartnerMembership.objects.filter(partner=partner)
    directors = RaceAccess.objects.filter(race__partner=partner)
    people = set(members.values_list("user_id", flat=True)) | set(directors.values_list("user_id", flat=True))
    members.delete()
    directors.delete()
    users = get_user_model().objects.filter(pk__in=people, is_active=True).exclude(STAFF_ACCOUNTS)
    see_nothing = users.filter(partner_memberships=None, race_access=None)
    # Without a password: an invitation opens again what was closed so, and nothing else that is switched off.
    return {"people": len(people), "accounts": see_nothing.update(is_active=False, password=make_password(None))}


def _keys_go(partner: TimingPartner, *, now: datetime) -> int:
    """The rows stay, because races name them; key and secret go. Refused: nobody resumes them by mistake, and another
    key that is stored later takes the races over."""
    keys = list(Credential.objects.select_for_update().filter(partner=partner).defer("api_secret").order_by("pk"))
    held = [key for key in keys if not key.api_key.startswith(GONE)]
    for key in held:
        key.api_key, key.api_secret = f"{GONE}{key.pk}", Secret("")
        key.status, key.refused_at = Credential.Status.REFUSED, now
        key.status_detail = f"Key and secret were deleted when the partner left, on {now:%d %b %Y}."
        key.save(update_fields=["api_key", "api_secret", "status", "refused_at", "status_detail"])
    return len(held)
