"""Links that show a race's status without a login: made, found by the hash of their token, revoked."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Max, Q

from races.models import Event, Race, ShareLink

TOKEN_BYTES = 32
# Longer than any token of ours; nobody's path needs to be hashed beyond it.
LONGEST_TOKEN = 100
LONGEST_LABEL = 80
LASTS_AT_MOST = timedelta(days=90)
ONE_DAY = timedelta(days=1)


def share_link_create(
    *, race: Race, label: str, expires_at: datetime, created_by: AbstractBaseUser, now: datetime
) -> tuple[ShareLink, str]:
    """The link and its token, which is known only now. `expires_at` is cut to the longest time that is allowed."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    link = ShareLink.objects.create(
        race=race,
        token_hash=token_hash(token),
        label=label.replace("\x00", "").strip()[:LONGEST_LABEL],
        created_by_id=created_by.pk,
        created_at=now,
        expires_at=min(expires_at, now + LASTS_AT_MOST),
    )
    return link, token


def share_link_find(*, token: str, now: datetime) -> ShareLink | None:
    """The link of this token while it is valid. By its hash: how long it takes says nothing about any token."""
    if len(token) > LONGEST_TOKEN:
        return None
    return ShareLink.objects.filter(token_hash=token_hash(token), revoked_at=None, expires_at__gt=now).first()


def share_link_revoke(*, link: ShareLink, revoked_by: AbstractBaseUser, now: datetime) -> bool:
    """False when somebody else was faster: who revoked it first stays on record."""
    found = ShareLink.objects.filter(pk=link.pk, revoked_at=None)
    return bool(found.update(revoked_at=now, revoked_by_id=revoked_by.pk))


def share_link_used(link: ShareLink, *, now: datetime) -> None:
    """Note that it was used in this hour: once an hour, not at each look."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    if link.last_used_at is None or link.last_used_at < hour:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=hour)
        ShareLink.objects.filter(stale, pk=link.pk).update(last_used_at=hour)


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def expiry_day(*, race: Race, zone: tzinfo, now: datetime) -> date:
    """The last day of a new link, when nobody chooses another: the day after the race's last event; tomorrow for a
    race of which nothing is to come."""
    today = now.astimezone(zone).date()
    coming = Event.objects.filter(
        race=race, gone_at=None, starts_at__gte=now - ONE_DAY, starts_at__lt=now + LASTS_AT_MOST
    )
    last = coming.aggregate(at=Max("starts_at"))["at"]
    day = max(last.astimezone(zone).date(), today) if last else today
    return min(day + ONE_DAY, last_day(zone=zone, now=now))


def last_day(*, zone: tzinfo, now: datetime) -> date:
    """The latest day that a new link may be valid on, whole."""
    return (now + LASTS_AT_MOST - ONE_DAY).astimezone(zone).date()


def end_of(day: date, *, zone: tzinfo) -> datetime:
    """The first moment after this day, race-local."""
    return datetime.combine(day + ONE_DAY, time(0), zone).astimezone(UTC)
