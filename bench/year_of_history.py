"""A database as big as the real one with a year of history, made by the database itself in a minute or two.

First the world as it is on the day it was set up, then what a year adds: so a page's cost with and without history is
measured in one run. 13 partners, 364 races, 5,382 events of which 644 are to come; one race has 40 of these, its first
event 10,000 people and a sync every hour for a year.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.utils import timezone

from bench import participant_pages
from partners.models import ApiUsage, CallBudget, Credential, PartnerMembership, TimingPartner
from partners.runsignup.sandbox import names
from partners.secret import Secret
from races.models import Event, HeldRemoval, Participant, ParticipantChange, Race, RaceAccess
from sync.models import Backfill, BackfillStep, Cycle, EventDay, EventSync, Heartbeat, SyncRun

PARTNERS, RACES, EVENTS, COMING = 13, 364, 5_382, 644
LARGEST_RACE_EVENTS, LARGEST_EVENT_PEOPLE = 40, 10_000
PEOPLE, RUNS = 260_350, 3_000_000
LARGEST_RACE = LARGEST_EVENT = 1
DIRECTED_RACES = 3
MODELS = (Race, Event, EventSync, Participant, ParticipantChange, Cycle, SyncRun, ApiUsage, EventDay, Backfill)


def world_make() -> None:
    """Partners, races, events and their schedule; one participant; nothing ran yet."""
    for number in range(1, PARTNERS + 1):
        partner = TimingPartner.objects.create(name=f"Timing Company {number}", slug=f"timing-company-{number}")
        key = Credential.objects.create(
            partner=partner, api_key=f"bench-{number}", api_secret=Secret("x" * 20), status=Credential.Status.OK
        )
        CallBudget.objects.create(credential=key)
    values = {
        "partner": TimingPartner.objects.order_by("pk").values_list("pk", flat=True)[0] - 1,
        "key": Credential.objects.order_by("pk").values_list("pk", flat=True)[0] - 1,
        "towns": [town for town, *_ in names.TOWNS],
        "race_names": list(names.RACE_NAMES),
        "distances": [name for name, *_ in names.DISTANCES],
    }
    _insert(Race, values, **_RACE)
    _insert(Event, values, **_EVENT)
    _insert(EventSync, values, **_EVENT_SYNC)
    Heartbeat.objects.create(name="cycle")
    Cycle.objects.create(started_at=timezone.now() - timedelta(days=500))
    _people(first=1, last=1)
    _settle()


def heartbeat_now() -> None:
    """The scheduler of the benchmark is always alive."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sync_heartbeat SET beat_at = clock_timestamp(), slot = clock_timestamp()")


def readers_make() -> dict[str, AbstractBaseUser]:
    """Staff, and a director with both kinds of rights: races of other partners, and all of one partner."""
    users = get_user_model().objects
    staff = users.create(username="bench-staff", is_staff=True, is_superuser=True)
    director = users.create(username="bench-director")
    for race_id in range(LARGEST_RACE, LARGEST_RACE + DIRECTED_RACES):
        RaceAccess.objects.create(user=director, race_id=race_id)
    PartnerMembership.objects.create(user=director, partner=TimingPartner.objects.latest("pk"))
    return {"staff": staff, "director": director}


def history_make() -> None:
    """A year: people and their changes, cycles, runs, receipts, calls."""
    _people(first=2, last=PEOPLE)
    _insert(ParticipantChange, {}, **_ADDED)
    _insert(Cycle, {}, **_CYCLE)
    _insert(SyncRun, {"runs": RUNS}, **_RUN)
    _insert(ParticipantChange, {"runs": RUNS}, **_CHANGED)
    _insert(ParticipantChange, {"runs": RUNS}, **_LEFT)
    _insert(EventDay, {}, **_EVENT_DAY)
    _insert(ApiUsage, {}, **_API_USAGE)
    _insert(Backfill, {}, **_BACKFILL)
    _insert(BackfillStep, {}, **_BACKFILL_STEP)
    _insert(HeldRemoval, {}, **_HELD)
    _settle()
    sizes = {Race: RACES, Event: EVENTS, Participant: PEOPLE, SyncRun: RUNS}
    wrong = {model.__name__: model._default_manager.count() for model in sizes}
    if wrong != {model.__name__: size for model, size in sizes.items()}:
        raise SystemExit(f"The history of the benchmark is not what it says: {wrong}")


def _people(*, first: int, last: int) -> None:
    page = participant_pages.page(event_id=1, numbers=[1])
    raw = json.dumps(json.loads(page.body)[0]["participants"][0])
    values = {
        "first": first, "last": last, "raw": raw, "first_names": list(names.FIRST_NAMES),
        "last_names": list(names.LAST_NAMES), "towns": [town for town, *_ in names.TOWNS],
    }  # fmt: skip
    _insert(Participant, values, **_PARTICIPANT)


def _insert(model: type[models.Model], values: dict[str, Any], *, source: str, **columns: str) -> None:
    """Rows of `columns` (SQL by column) from `source`; what is not named gets the model's default."""
    params = dict(values)
    for field in model._meta.concrete_fields:
        if field.column is None or field.column in columns or field.null or isinstance(field, models.AutoField):
            continue
        columns[field.column] = f"%(default_{field.column})s"
        params[f"default_{field.column}"] = field.get_db_prep_save(field.get_default(), connection)
    into, what = ", ".join(f'"{column}"' for column in columns), ", ".join(columns.values())
    with transaction.atomic(), connection.cursor() as cursor:
        # The statement makes what its foreign keys name; to check three million of them takes longer than the rest.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(f'INSERT INTO "{model._meta.db_table}" ({into}) SELECT {what} FROM {source}', params)  # noqa: S608


def _settle() -> None:
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(MODELS)):
            cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE")


def sizes() -> Iterable[tuple[str, int]]:
    for model in MODELS:
        yield str(model._meta.verbose_name_plural), model._default_manager.count()


# Modulo is written mod(), because % belongs to the parameters.
_RACE = {
    "source": f"generate_series(1, {RACES}) AS n",
    "id": "n",
    "partner_id": f"%(partner)s + 1 + mod(n - 1, {PARTNERS})",
    "credential_id": f"%(key)s + 1 + mod(n - 1, {PARTNERS})",
    "provider_race_id": "500000 + n",
    "name": "(%(race_names)s::text[])[1 + mod(n, cardinality(%(race_names)s::text[]))] || ' ' || n",
    "timezone": "'America/New_York'",
    "city": "(%(towns)s::text[])[1 + mod(n, cardinality(%(towns)s::text[]))]",
    "state": "'ME'",
    "registration_open": "true",
}
# To come: one every 15 minutes, so a week as busy as a big one. Before: one every 11 hours, six years of them.
_EVENT = {
    "source": f"generate_series(1, {EVENTS}) AS n",
    "id": "n",
    "race_id": f"CASE WHEN n <= {LARGEST_RACE_EVENTS} THEN {LARGEST_RACE} ELSE 2 + mod(n * 7, {RACES - 1}) END",
    "provider_event_id": "700000 + n",
    "name": "(%(distances)s::text[])[1 + mod(n, cardinality(%(distances)s::text[]))] || ' ' || n",
    "starts_at": f"date_trunc('minute', now()) + CASE WHEN n <= {COMING} THEN interval '90 minutes' + n * interval "
    f"'15 minutes' ELSE (n - {COMING}) * interval '-11 hours' END",
    "registration_opens_at": "now() - interval '200 days'",
}
_EVENT_SYNC = {
    "source": "races_event AS event JOIN races_race AS race ON race.id = event.race_id CROSS JOIN LATERAL (SELECT "
    "CASE WHEN starts_at < now() THEN NULL WHEN starts_at < now() + interval '4 hours' THEN 'HIGH' "
    "WHEN starts_at < now() + interval '1 day' THEN 'MEDIUM' ELSE 'LOW' END AS tier) AS urgency",
    "event_id": "event.id",
    "credential_id": "race.credential_id",
    "tier": "tier",
    "tier_until": "CASE WHEN tier IS NOT NULL THEN starts_at END",
    "due_at": "CASE tier WHEN 'HIGH' THEN now() + interval '20 minutes' WHEN 'MEDIUM' THEN now() + interval "
    "'22 minutes' WHEN 'LOW' THEN now() + mod(event.id, 60) * interval '1 minute' END",
    "visits": "90",
    "cursor": "extract(epoch FROM now())::bigint",
    "checked_at": "LEAST(now() - interval '30 seconds', starts_at + interval '1 hour')",
    "removals_checked_at": "LEAST(now() - interval '150 seconds', starts_at + interval '1 hour')",
    "changed_at": "LEAST(now() - interval '20 minutes', starts_at)",
    "reconciled_at": "LEAST(now() - interval '9 hours', starts_at)",
    "listed_count": "50",
    "mirror_count": "50",
    "failures": "CASE WHEN tier IS NOT NULL AND mod(event.id, 25) = 3 THEN 2 ELSE 0 END",
    "hold_reason": "CASE WHEN mod(event.id, 400) = 2 THEN 'removals are held' ELSE '' END",
}
# 10,000 in the first event, 500 in each other one of its race, 2,000 in the twenty latest, the rest in turn.
_PARTICIPANT = {
    "source": "generate_series(%(first)s::bigint, %(last)s::bigint) AS n",
    "id": "n",
    "event_id": f"""CASE WHEN n <= {LARGEST_EVENT_PEOPLE} THEN {LARGEST_EVENT}
        WHEN n <= 29500 THEN 2 + (n - 10001) / 500
        WHEN n <= 69500 THEN {COMING + 1} + (n - 29501) / 2000
        ELSE {LARGEST_RACE_EVENTS + 1} + mod(n, {EVENTS - LARGEST_RACE_EVENTS}) END""",
    "registration_id": "9000000 + n",
    "user_id": "41000000 + n",
    "first_name": "(%(first_names)s::text[])[1 + mod(n, cardinality(%(first_names)s::text[]))]",
    "last_name": """(%(last_names)s::text[])[1 + mod(n / 7, cardinality(%(last_names)s::text[]))]
        || CASE WHEN mod(n, 3) = 0 THEN '' ELSE '-' || substr(md5(n::text), 1, 5) END""",
    "email": "'runner' || n || '@example.test'",
    "dob": "date '1950-01-01' + mod(n * 7919, 20000)::int",
    "gender": "CASE WHEN mod(n, 2) = 0 THEN 'F' ELSE 'M' END",
    "age": "20 + mod(n, 60)",
    "city": "(%(towns)s::text[])[1 + mod(n, cardinality(%(towns)s::text[]))]",
    "state": "'ME'",
    "bib": "CASE WHEN mod(n, 10) < 8 THEN (1 + mod(n, 20000))::text ELSE '' END",
    "registered_at": "now() - mod(n, 300) * interval '1 day'",
    "modified_at": "now() - mod(n, 200) * interval '1 day'",
    "raw": "%(raw)s",
    "raw_hash": "decode(md5(n::text), 'hex')",
    "content_hash": "decode(md5((-n)::text), 'hex')",
    "removed_at": "CASE WHEN mod(n, 25) IN (3, 4) THEN now() - mod(n, 90) * interval '1 day' END",
    "removed_reason": "CASE mod(n, 25) WHEN 3 THEN 'removed' WHEN 4 THEN 'transferred' ELSE '' END",
    "successor_registration_id": "CASE WHEN mod(n, 25) = 4 THEN 9000000 + n + 1 END",
}
_ADDED = {
    "source": "races_participant",
    "participant_id": "id",
    "event_id": "event_id",
    "kind": "'added'",
    "at": "registered_at",
}
# Bibs are given out to everybody of the largest event; of the others a fifth was changed.
_CHANGED = {
    "source": f"races_participant WHERE event_id = {LARGEST_EVENT} OR mod(id, 5) = 0",
    "participant_id": "id",
    "event_id": "event_id",
    "kind": "'changed'",
    "changes": "jsonb_build_object('bib', jsonb_build_array((1 + mod(id, 5000))::text, bib))",
    "at": "now() - mod(id, 40000) * interval '7 seconds'",
    "sync_run_id": "1 + mod(id * 7919, %(runs)s)",
}
_LEFT = {
    "source": "races_participant WHERE removed_at IS NOT NULL",
    "participant_id": "id",
    "event_id": "event_id",
    "kind": "CASE removed_reason WHEN 'transferred' THEN 'transferred' ELSE 'removed' END",
    "changes": "jsonb_build_object('removed_reason', jsonb_build_array('', removed_reason))",
    "at": "removed_at",
    "sync_run_id": "1 + mod(id * 7919, %(runs)s)",
}
# Two days of cycles every ten seconds, before that one of sixty. The id is its time, so that a run knows its own.
_CYCLE = {
    "source": """(SELECT n FROM generate_series(extract(epoch FROM now())::bigint / 10 - 17280,
            extract(epoch FROM now())::bigint / 10) AS n
        UNION ALL SELECT n * 60 FROM generate_series((extract(epoch FROM now())::bigint - 480 * 86400) / 600,
            (extract(epoch FROM now())::bigint / 10 - 17280) / 60) AS n ORDER BY 1) AS slots
        CROSS JOIN LATERAL (SELECT to_timestamp(n * 10.0) AS at) AS begun""",
    "id": "n",
    "slot": "at",
    "started_at": "at",
    "finished_at": "at + (0.05 + mod(n, 97) / 500.0) * interval '1 second'",
    "high_due": "mod(n, 50)",
    "high_picked": "mod(n, 50)",
    "medium_due": "mod(n, 30)",
    "medium_picked": "LEAST(mod(n, 30), 20)",
    "medium_deferred": "GREATEST(mod(n, 30) - 20, 0)",
    "low_due": "9",
    "low_picked": "9",
    "unchanged": "mod(n, 40)",
    "calls": "mod(n, 40)",
}
# Each event every hour for 88 days, the largest for a year, then as its tier wants; of these the latest RUNS.
_RUN = {
    "source": f"""(
        SELECT event.id AS event_id, tier, at, random() AS dice, random() AS second_dice
        FROM races_event AS event CROSS JOIN LATERAL (
            SELECT 'LOW' AS tier, generate_series(
                starts_at - CASE event.id WHEN {LARGEST_EVENT} THEN interval '365 days' ELSE interval '88 days' END,
                LEAST(starts_at - interval '24 hours', now() - interval '1 hour'), interval '1 hour') AS at
            UNION ALL SELECT 'MEDIUM', generate_series(
                starts_at - interval '24 hours', LEAST(starts_at - interval '4 hours', now()), interval '5 minutes')
            UNION ALL SELECT 'HIGH', generate_series(
                starts_at - interval '4 hours', LEAST(starts_at + interval '1 hour', now()), interval '1 minute')
        ) AS planned CROSS JOIN LATERAL (SELECT at + mod(event.id, 50) * interval '1 second' AS begins) AS begun
        WHERE starts_at > now() - interval '480 days' AND begins < now() ORDER BY at DESC LIMIT %(runs)s
    ) AS one CROSS JOIN LATERAL (SELECT at + mod(event_id, 50) * interval '1 second' AS begins,
        extract(epoch FROM at)::bigint / 10 AS cycle) AS begun ORDER BY begins""",  # noqa: S608 - numbers of this file
    "event_id": "event_id",
    "visit": "gen_random_uuid()",
    "cycle_id": "CASE WHEN cycle > extract(epoch FROM now())::bigint / 10 - 17280 THEN cycle ELSE cycle / 60 * 60 END",
    "tier": "tier",
    "trigger": "CASE WHEN second_dice < 0.005 THEN 'manual' WHEN second_dice < 0.02 THEN 'reconcile' "
    "ELSE 'scheduled' END",
    "outcome": """CASE WHEN dice < 0.01 THEN 'failed' WHEN dice < 0.013 THEN 'throttled' WHEN dice < 0.0131 THEN 'lost'
        WHEN dice < 0.2 THEN 'ok' ELSE 'unchanged' END""",
    "error_text": "CASE WHEN dice < 0.01 THEN 'RunSignUp did not answer within 20 seconds.' ELSE '' END",
    "due_at": "begins - interval '2 seconds'",
    "started_at": "begins",
    "finished_at": "begins + interval '1.5 seconds'",
    "calls": "1",
    "pages": "1",
    "fetched": "CASE WHEN dice < 0.2 THEN 3 ELSE 0 END",
}
_EVENT_DAY = {
    "source": """races_event AS event CROSS JOIN generate_series(0, 1) AS before
        WHERE starts_at BETWEEN now() - interval '365 days' AND now() - interval '90 minutes'""",
    "event_id": "event.id",
    "day": "(starts_at AT TIME ZONE 'America/New_York')::date - before",
    "planned": "270",
    "done": "268",
    "failed": "1",
    "longest_gap": "interval '74 seconds'",
    "longest_gap_at": "starts_at - interval '3 hours'",
    "longest_gap_cause": "'a failed try'",
    "rolled_up_at": "starts_at + interval '2 hours'",
}
_API_USAGE = {
    "source": """partners_credential AS key CROSS JOIN generate_series(
        date_trunc('minute', now()) - interval '7 days', date_trunc('minute', now()), interval '1 minute') AS minute""",
    "credential_id": "key.id",
    "minute": "minute",
    "calls": "8 + mod(key.id, 6)",
}
_BACKFILL = {
    "source": "partners_timingpartner AS partner",
    "partner_id": "partner.id",
    "status": "'done'",
    "started_at": "now() - interval '300 days'",
    "finished_at": "now() - interval '299 days'",
    "calls": "900",
}
_BACKFILL_STEP = {
    "source": "sync_backfill AS backfill JOIN races_race AS race ON race.partner_id = backfill.partner_id",
    "backfill_id": "backfill.id",
    "race_id": "race.id",
    "status": "'done'",
    "pages": "3",
    "rows": "700",
}
_HELD = {
    "source": f"races_event AS event WHERE id <= {COMING} AND mod(id, 50) = 2",
    "event_id": "id",
    "found_at": "now() - interval '30 minutes'",
    "registration_ids": "ARRAY[1, 2, 3]::bigint[]",
    "listed_before": "40",
}
