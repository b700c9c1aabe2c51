"""Who outside the staff sees a partner's races, and which."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db.models import F, Q

from partners.models import TimingPartner
from races.models import Race, RaceAccess
from sync.web.times import Moment, moment

# Of each person; the rest is counted.
NAMED_RACES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """`sees`: in words. `invited`: no password was set yet; `seen`: the last login."""

    pk: int
    name: str
    email: str
    sees: str
    invited: bool
    is_active: bool
    seen: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    pk: int
    name: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerAccess:
    people: tuple[Person, ...]
    races: tuple[Choice, ...]


def partner_access(
    *, partner: TimingPartner, zone: tzinfo, now: datetime, chosen: frozenset[int] = frozenset()
) -> PartnerAccess:
    """Three queries. `chosen`: races that are ticked."""
    mine = Q(partner_memberships__partner=partner) | Q(race_access__race__partner=partner)
    users = list(get_user_model().objects.filter(mine).distinct().order_by("username"))
    members = set(partner.memberships.values_list("user_id", flat=True))
    races: dict[int, list[str]] = {}
    given = RaceAccess.objects.filter(race__partner=partner).order_by("race__name")
    for user_id, name in given.values_list("user_id", "race__name"):
        races.setdefault(user_id, []).append(name)
    return PartnerAccess(
        people=tuple(
            _person(user, sees_all=user.pk in members, races=races.get(user.pk, []), zone=zone, now=now)
            for user in users
        ),
        races=tuple(
            Choice(pk=pk, name=name, chosen=pk in chosen)
            for pk, name in Race.objects.filter(partner=partner, gone_at=None)
            .order_by(F("next_date").asc(nulls_last=True), "name")
            .values_list("pk", "name")
        ),
    )


def _person(user: User, *, sees_all: bool, races: list[str], zone: tzinfo, now: datetime) -> Person:
    return Person(
        pk=user.pk,
        name=user.get_full_name() or user.get_username(),
        email=user.email,
        sees="All races" if sees_all else races_words(races),
        invited=not user.has_usable_password(),
        is_active=user.is_active,
        seen=moment(user.last_login, zone=zone, now=now, seconds=False),
    )


def races_words(names: list[str]) -> str:
    more = len(names) - NAMED_RACES
    return ", ".join(names[:NAMED_RACES]) + (f" and {more} more" if more > 0 else "")
