"""What is known that may make somebody doubt an event's list or start. Reads only; the core decides what is said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Max

from races.models import Event, Participant
from sync.core.explanation import GOOD
from sync.core.findings import (
    PACE_OVER,
    PAST_BY,
    SHOWN,
    SILENT_FOR,
    SILENT_SYNCS,
    Comparison,
    DoubtFacts,
    Finding,
    Repeats,
    Silence,
    StartFacts,
    findings,
    is_over,
)
from sync.core.policy import Policy
from sync.core.tiers import zone_of
from sync.core.time_words import Clock
from sync.models import EventSync
from sync.services.event_schedule import window_of


def events_findings(*, events: Sequence[Event], now: datetime, policy: Policy) -> dict[int, tuple[Finding, ...]]:
    """By event, each with its race and its schedule. The number of queries does not depend on theirs.

    What the provider took out of the race has none: nobody can do anything about it.
    """
    here = [event for event in events if event.gone_at is None and event.race.gone_at is None]
    open_ones = [event.pk for event in here if not is_over(window_of(event), now=now, policy=policy)]
    bibs, people = duplicate_bibs(open_ones), same_people(open_ones)
    silences = _silences([event for event in here if event.pk in set(open_ones)], now=now)
    newest = _newest_registrations(here, now=now)
    found: dict[int, tuple[Finding, ...]] = {event.pk: () for event in events}
    for event in here:
        facts = DoubtFacts(
            start=start_facts(event, newest_registration=newest.get(event.pk)),
            registration_open=event.race.registration_open,
            silence=silences.get(event.pk),
            comparison=_comparison(getattr(event, "sync", None)),
            bibs=bibs.get(event.pk, Repeats()),
            people=people.get(event.pk, Repeats()),
        )
        clock = Clock(zone=zone_of(event.race.timezone), now=now)
        found[event.pk] = findings(facts, clock=clock, policy=policy)
    return found


def start_facts(event: Event, *, newest_registration: datetime | None = None) -> StartFacts:
    """`event` with its race."""
    zone = event.race.timezone
    return StartFacts(
        starts_at=event.starts_at,
        window=window_of(event),
        is_placeholder=event.start_is_placeholder,
        zone=zone,
        zone_known=zone_of(zone).key == zone,
        zone_taken=zone_of(zone).key,
        moved_from=event.start_moved_from,
        moved_at=event.start_moved_at,
        registration_opens_at=event.registration_opens_at,
        newest_registration=newest_registration,
    )


def duplicate_bibs(event_ids: Sequence[int]) -> dict[int, Repeats]:
    """By event, those that have any. Answered from the index of the active bibs alone."""
    return _repeats(
        """
        SELECT event_id, bib AS name, bib AS sorted FROM races_participant
        WHERE event_id = ANY(%s) AND removed_at IS NULL AND bib <> ''
        GROUP BY event_id, bib HAVING count(*) > 1
        """,
        [list(event_ids)],
    )


def same_people(event_ids: Sequence[int]) -> dict[int, Repeats]:
    """By event, those with people who are registered more than once: the same name and date of birth, or the same first
    name under the same RunSignUp account. The account alone is no sign: parents register their children with theirs.

    Read once, and names are looked at only of those who share a birthday or an account with somebody.
    """
    return _repeats(
        """
        WITH people AS MATERIALIZED (
            SELECT event_id, first_name, last_name, dob, user_id FROM races_participant
            WHERE event_id = ANY(%s) AND removed_at IS NULL
        ), born AS (
            SELECT event_id, dob FROM people WHERE dob IS NOT NULL GROUP BY event_id, dob HAVING count(*) > 1
        ), accounts AS (
            SELECT event_id, user_id FROM people WHERE user_id > 0 GROUP BY event_id, user_id HAVING count(*) > 1
        )
        SELECT event_id, min(concat_ws(' ', first_name, last_name)) AS name, lower(min(last_name)) AS sorted
        FROM people JOIN born USING (event_id, dob) WHERE last_name <> ''
        GROUP BY event_id, lower(first_name), lower(last_name), dob HAVING count(*) > 1
        UNION
        SELECT event_id, min(concat_ws(' ', first_name, last_name)), lower(min(last_name))
        FROM people JOIN accounts USING (event_id, user_id) WHERE first_name <> ''
        GROUP BY event_id, user_id, lower(first_name) HAVING count(*) > 1
        """,
        [list(event_ids)],
    )


def _repeats(query: str, parameters: list[list[int]]) -> dict[int, Repeats]:
    """`query` gives (event_id, name, sorted) per thing that repeats."""
    if not parameters[0]:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT event_id, count(*), (array_agg(name ORDER BY length(sorted), sorted, name))[1:%s]
            FROM ({query}) AS found GROUP BY event_id
            """,  # noqa: S608 - our own words
            [SHOWN, *parameters],
        )
        return {event: Repeats(count=count, examples=tuple(names)) for event, count, names in cursor.fetchall()}


def _silences(events: Sequence[Event], *, now: datetime) -> dict[int, Silence]:
    """Of those that were silent for long enough; the good syncs are counted no further than needed."""
    quiet: dict[int, datetime] = {}
    for event in events:
        row: EventSync | None = getattr(event, "sync", None)
        if row is None or row.changed_at is None or not event.race.registration_open:
            continue
        if row.due_at is not None and now - row.changed_at >= SILENT_FOR:
            quiet[event.pk] = row.changed_at
    if not quiet:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT quiet.event,
                (SELECT count(*) FROM (
                    SELECT FROM sync_syncrun AS run
                    WHERE run.event_id = quiet.event AND run.started_at > quiet.since AND run.outcome = ANY(%s)
                    LIMIT %s
                ) AS counted),
                (SELECT count(*) FROM races_participant AS person
                    WHERE person.event_id = quiet.event AND person.registered_at > quiet.pace_since
                        AND person.registered_at <= quiet.since)
            FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS quiet (event, since, pace_since)
            """,
            [list(GOOD), SILENT_SYNCS, list(quiet), list(quiet.values()), [at - PACE_OVER for at in quiet.values()]],
        )
        return {
            event: Silence(since=quiet[event], good_syncs=syncs, before=before)
            for event, syncs, before in cursor.fetchall()
        }


def _newest_registrations(events: Sequence[Event], *, now: datetime) -> dict[int, datetime | None]:
    """Of those whose start lies far in the past only."""
    past = [event.pk for event in events if event.starts_at is not None and now - event.starts_at >= PAST_BY]
    if not past:
        return {}
    people = Participant.objects.filter(event_id__in=past, registered_at__lte=now + timedelta(days=1))
    return dict(people.order_by().values_list("event_id").annotate(Max("registered_at")))


def _comparison(row: EventSync | None) -> Comparison | None:
    if row is None or row.reconciled_at is None or row.listed_count is None or row.mirror_count is None:
        return None
    return Comparison(
        at=row.reconciled_at,
        listed=row.listed_count,
        mirror=row.mirror_count,
        explained=bool(row.reconcile_rejected or row.reconcile_kept),
    )
