"""What went wrong with a partner's events in the last day, by the class of the error: how often, and the latest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from django.db import connection
from django.urls import reverse
from django.utils.http import urlencode

from sync.models import BAD_OUTCOMES
from sync.web.cycle_chart import chart_begins
from sync.web.error_words import ErrorWords, error_words
from sync.web.runs import short_error
from sync.web.times import Moment, moment
from sync.web.words import ICONS, OUTCOMES, Kind

# Bad runs lie far apart on the disk. In an outage of a day these are the latest; the page says that there are more.
LOOKED_AT = 10_000

# The class says who acts next (partners.runsignup.errors).
MEANING: dict[str, str] = {
    "Transient": "RunSignUp was not well. Project88 tries again by itself.",
    "Throttled": "RunSignUp said slow down. Project88 waits and goes on by itself.",
    "NoBudget": "The key had no call free. It is tried again when one is.",
    "Refused": "RunSignUp does not allow it. A person must act.",
    "Gone": "RunSignUp does not have it any more. Its people are kept here.",
    "Unexpected": "An answer that Project88 does not know. Look at the log, and tell who maintains Project88.",
    "Lost": "The worker died in the middle. It was done again at once.",
}
OWN_BUG = "Project88 failed here. Look at the log, and tell who maintains Project88."


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorClass:
    """Runs that ended alike. `latest`: when the newest of them began; `error`: what it said, of the event named;
    `runs_url`: all of this outcome in the history."""

    name: str
    outcome: str
    kind: Kind
    icon: str
    meaning: str
    count: int
    latest: Moment | None
    error: ErrorWords
    event: str
    event_pk: int
    race: str
    race_pk: int
    runs_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerErrors:
    """`is_more`: more went wrong in the day than was looked at."""

    classes: tuple[ErrorClass, ...]
    count: int
    is_more: bool


def partner_errors(*, partner_id: int, slug: str, zone: tzinfo, now: datetime) -> PartnerErrors:
    """The most frequent first. One query; of the runs of all partners at most LOOKED_AT are read."""
    begins = chart_begins(now=now)
    outcomes = ", ".join(f"'{outcome.value}'" for outcome in BAD_OUTCOMES)
    with connection.cursor() as cursor:
        cursor.execute(
            # The outcomes are written out, or the partial index run_latest_bad is not used.
            f"""
            WITH looked AS MATERIALIZED (
                SELECT id, event_id FROM sync_syncrun WHERE outcome IN ({outcomes}) AND started_at >= %s
                ORDER BY started_at DESC, id DESC LIMIT %s
            ), grouped AS MATERIALIZED (
                SELECT run.error_class, run.outcome, count(*) AS number, max(run.id) AS latest,
                    (SELECT count(*) FROM looked) AS looked
                FROM looked JOIN races_event event ON event.id = looked.event_id
                JOIN races_race race ON race.id = event.race_id AND race.partner_id = %s
                JOIN sync_syncrun run ON run.id = looked.id
                GROUP BY 1, 2
            )
            SELECT grouped.error_class, grouped.outcome, number, looked, run.started_at, run.error_text,
                event.name, event.id, race.name, race.id
            FROM grouped JOIN sync_syncrun run ON run.id = latest
            JOIN races_event event ON event.id = run.event_id JOIN races_race race ON race.id = event.race_id
            ORDER BY number DESC, grouped.error_class, grouped.outcome
            """,  # noqa: S608
            [begins, LOOKED_AT, partner_id],
        )
        rows = cursor.fetchall()
    return PartnerErrors(
        classes=tuple(_class(row, slug=slug, begins=begins, zone=zone, now=now) for row in rows),
        count=sum(row[2] for row in rows),
        is_more=any(row[3] >= LOOKED_AT for row in rows),
    )


def _class(row: tuple, *, slug: str, begins: datetime, zone: tzinfo, now: datetime) -> ErrorClass:
    name, outcome, number, _looked, started_at, text, event, event_pk, race, race_pk = row
    word, kind = OUTCOMES[outcome]
    query = {"partner": slug, "outcome": outcome, "from": f"{begins.astimezone(UTC):%Y-%m-%d %H:%M}"}
    return ErrorClass(
        name=name or "No class",
        outcome=word,
        kind=kind,
        icon=ICONS[kind],
        meaning=MEANING.get(name, OWN_BUG),
        count=number,
        latest=moment(started_at, zone=zone, now=now),
        error=error_words(short_error(text)),
        event=event,
        event_pk=event_pk,
        race=race,
        race_pk=race_pk,
        runs_url=f"{reverse('runs')}?{urlencode(query)}",
    )
