"""Giving people outside the staff a partner's races, single ones or all, and taking them away."""

from __future__ import annotations

import logging
from collections.abc import Collection

from django.contrib.auth.models import User
from django.db import transaction

from partners.models import PartnerMembership, TimingPartner
from races.models import RaceAccess

logger = logging.getLogger(__name__)


def access_give(*, user: User, partner: TimingPartner, race_ids: Collection[int] | None) -> None:
    """`race_ids`: races of this partner, or None for all of them, also those to come."""
    with transaction.atomic():
        if race_ids is None:
            PartnerMembership.objects.get_or_create(user=user, partner=partner)
        else:
            found = partner.races.filter(pk__in=race_ids).values_list("pk", flat=True)  # type: ignore[attr-defined]
            given = [RaceAccess(user=user, race_id=pk) for pk in found]
            RaceAccess.objects.bulk_create(given, ignore_conflicts=True)
    logger.info("Access given", extra={"action": "access_given", "user": user.pk, "partner": partner.slug})


def access_take(*, user: User, partner: TimingPartner) -> int:
    """Take all of this partner from `user`; returns how many rights that were. Pages ask for each request, so it is
    in force at once."""
    with transaction.atomic():
        rights, _by_model = PartnerMembership.objects.filter(user=user, partner=partner).delete()
        rights += RaceAccess.objects.filter(user=user, race__partner=partner).delete()[0]
    logger.info("Access taken", extra={"action": "access_taken", "user": user.pk, "partner": partner.slug})
    return rights
