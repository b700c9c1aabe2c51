"""Giving people outside the staff a partner's races, single ones or all, and taking them away."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model

from partners.audit import PERSON, Action, Actor, audit_note_all, person_name
from partners.models import PartnerMembership, TimingPartner
from races.models import Race, RaceAccess

logger = logging.getLogger(__name__)


def access_give(
    *, user: User, partner: TimingPartner, race_ids: Collection[int] | None, by: Actor, now: datetime
) -> None:
    """`race_ids`: races of this partner, or None for all of them, also those to come."""
    given: list[Model]
    with transaction.atomic():
        if race_ids is None:
            _row, is_new = PartnerMembership.objects.get_or_create(user=user, partner=partner)
            given = [partner] if is_new else []
        else:
            found = Race.objects.filter(partner=partner, pk__in=race_ids).exclude(access__user=user).defer("raw")
            given = list(found.order_by("pk"))
            rows = [RaceAccess(user=user, race_id=race.pk) for race in given]
            RaceAccess.objects.bulk_create(rows, ignore_conflicts=True)
        detail = {PERSON: person_name(user)}
        audit_note_all(action=Action.ACCESS_GIVEN, by=by, targets=given, detail=detail, now=now)
    logger.info("Access given", extra={"action": "access_given", "user": user.pk, "partner": partner.slug})


def access_take(*, user: User, partner: TimingPartner, by: Actor, now: datetime) -> int:
    """Take all of this partner from `user`; returns how many rights that were. Pages ask for each request, so it is
    in force at once."""
    with transaction.atomic():
        races = list(Race.objects.filter(partner=partner, access__user=user).defer("raw").order_by("pk"))
        of_all, _by_model = PartnerMembership.objects.filter(user=user, partner=partner).delete()
        rights = of_all + RaceAccess.objects.filter(user=user, race__partner=partner).delete()[0]
        taken: list[Model] = [*([partner] if of_all else []), *races]
        detail = {PERSON: person_name(user)}
        audit_note_all(action=Action.ACCESS_TAKEN, by=by, targets=taken, detail=detail, now=now)
    logger.info("Access taken", extra={"action": "access_taken", "user": user.pk, "partner": partner.slug})
    return rights
