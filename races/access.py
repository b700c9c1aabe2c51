"""Who sees which races. Every page asks here and nowhere else; what is not in the answer does not exist (404)."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q, QuerySet

from partners.models import PartnerMembership
from races.models import Race, RaceAccess


def visible_races(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Race]:
    """Staff: all. Others: the races they were given and all races of the partners they belong to."""
    if not user.is_authenticated:
        return Race.objects.none()
    if getattr(user, "is_staff", False) or getattr(user, "is_superuser", False):
        return Race.objects.all()
    # Subqueries, not joins: somebody with both rights must not see a race twice.
    given = RaceAccess.objects.filter(user_id=user.pk).values("race_id")
    partners = PartnerMembership.objects.filter(user_id=user.pk).values("partner_id")
    return Race.objects.filter(Q(pk__in=given) | Q(partner_id__in=partners))
