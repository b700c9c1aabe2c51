"""Who sees which races, and what they may do there. Every page asks here and nowhere else; what is not in the answer
does not exist (404)."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from partners.models import PartnerMembership
from partners.rights import Reader, is_staff, may, may_operate
from races.models import Race, RaceAccess

SHARE = "races.add_sharelink"


def visible_races(user: Reader) -> QuerySet[Race]:
    """Staff: all. Others: the races they were given and all races of the partners they belong to."""
    return Race.objects.all() if is_staff(user) else own_races(user)


def own_races(user: Reader) -> QuerySet[Race]:
    """The races that somebody was given, one by one or with a partner: not what staff see of others."""
    if not user.is_authenticated:
        return Race.objects.none()
    # Subqueries, not joins: somebody with both rights must not see a race twice.
    given = RaceAccess.objects.filter(user_id=user.pk).values("race_id")
    partners = PartnerMembership.objects.filter(user_id=user.pk).values("partner_id")
    return Race.objects.filter(Q(pk__in=given) | Q(partner_id__in=partners))


def may_sync(user: Reader, race: Race) -> bool:
    """Whose race it is may ask for a sync of it; of all races, who operates. `race`: one of `visible_races`."""
    return may_operate(user) or _is_own(user, race)


def may_share(user: Reader, race: Race) -> bool:
    """Making and revoking links that need no login. `race`: one of `visible_races`."""
    return may(user, SHARE) or _is_own(user, race)


def _is_own(user: Reader, race: Race) -> bool:
    """Who is not staff sees only races of their own: that spares each of their pages a query."""
    if not is_staff(user):
        return user.is_authenticated
    return own_races(user).filter(pk=race.pk).exists()
