"""Whether the scheduler is alive: the banner of every page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from sync.core.policy import Policy
from sync.core.status import is_silent
from sync.models import Heartbeat
from sync.services.cycles import HEARTBEAT
from sync.web.times import local_text, relative_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The scheduler's last sign of life (None: never one) and whether that is too long ago."""

    at: datetime | None
    is_silent: bool


def last_beat(*, now: datetime, policy: Policy) -> Beat:
    at = Heartbeat.objects.filter(name=HEARTBEAT).values_list("beat_at", flat=True).first()
    return Beat(at=at, is_silent=is_silent(at, now=now, policy=policy))


def banner_text(beat: Beat, *, zone: tzinfo, now: datetime) -> str:
    """ "" while the scheduler is alive."""
    if not beat.is_silent:
        return ""
    if beat.at is None:
        return "The scheduler has never run: events are not being synced."
    since = local_text(beat.at, zone=zone, now=now)
    return f"Scheduler silent since {since} ({relative_text(beat.at, now=now)}): events are not being synced."
