"""The last that people did with a partner, its keys and its races."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from partners.audit_words import detail_text, what_text, who_text
from partners.models import AuditEntry
from sync.web.times import Moment, moment

SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """`address`: where from; `about`: what it was done to; `detail`: "rows: 412", "" when there is no more to say."""

    at: Moment | None
    who: str
    address: str
    what: str
    about: str
    detail: str


def audit_lines(*, partner_id: int, zone: tzinfo, now: datetime) -> tuple[AuditLine, ...]:
    """The latest first."""
    entries = AuditEntry.objects.filter(partner_id=partner_id).order_by("-at", "-pk")[:SHOWN]
    return tuple(
        AuditLine(
            at=moment(entry.at, zone=zone, now=now),
            who=who_text(entry),
            address=entry.address,
            what=what_text(entry),
            about=entry.object_text,
            detail=detail_text(entry),
        )
        for entry in entries
    )
