"""The page on which a race's share links are made and revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from races.models import Race, ShareLink
from races.share_links import end_of, expiry_day, last_day
from sync.core.tiers import zone_of
from sync.web.race_status import RaceHeader, race_header
from sync.web.times import Moment, moment
from sync.web.words import ICONS, Kind

SHOWN_LINKS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """`word`: Valid, Expired or Revoked; `by`, `revoked_by`: user names, "" when the user is gone or nobody did."""

    pk: int
    label: str
    word: str
    kind: Kind
    icon: str
    is_valid: bool
    by: str
    created: Moment | None
    expires: Moment | None
    revoked: Moment | None
    revoked_by: str
    used: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLinks:
    """`until`: the last day that a new link has when nobody chooses another; `first`, `latest`: what may be chosen."""

    race: RaceHeader
    links: tuple[LinkRow, ...]
    until: date
    first: date
    latest: date


def share_links_page(*, race: Race, now: datetime) -> ShareLinks:
    """`race` from `with_switches`."""
    zone = zone_of(race.timezone)
    links = ShareLink.objects.filter(race=race).select_related("created_by", "revoked_by")
    return ShareLinks(
        race=race_header(race, now=now),
        links=tuple(_row(link, race=race, now=now) for link in links.order_by("-created_at", "-pk")[:SHOWN_LINKS]),
        until=expiry_day(race=race, zone=zone, now=now),
        first=now.astimezone(zone).date(),
        latest=last_day(zone=zone, now=now),
    )


def chosen_expiry(asked: str, *, race: Race, now: datetime) -> datetime:
    """The end of the day that the form names, of the usual one when it names none. ValueError: no day that may be."""
    zone = zone_of(race.timezone)
    day = date.fromisoformat(asked) if asked else expiry_day(race=race, zone=zone, now=now)
    if not now.astimezone(zone).date() <= day <= last_day(zone=zone, now=now):
        raise ValueError(f"{day} is not a day on which a new link may end")
    return end_of(day, zone=zone)


def _row(link: ShareLink, *, race: Race, now: datetime) -> LinkRow:
    zone = zone_of(race.timezone)
    is_valid = link.revoked_at is None and link.expires_at > now
    word = "Valid" if is_valid else "Revoked" if link.revoked_at else "Expired"
    kind = Kind.GOOD if is_valid else Kind.IDLE
    return LinkRow(
        pk=link.pk,
        label=link.label or "Without a label",
        word=word,
        kind=kind,
        icon=ICONS[kind],
        is_valid=is_valid,
        by=link.created_by.get_username() if link.created_by else "",
        created=moment(link.created_at, zone=zone, now=now, seconds=False),
        expires=moment(link.expires_at, zone=zone, now=now, seconds=False),
        revoked=moment(link.revoked_at, zone=zone, now=now, seconds=False),
        revoked_by=link.revoked_by.get_username() if link.revoked_by else "",
        used=moment(link.last_used_at, zone=zone, now=now, seconds=False),
    )
