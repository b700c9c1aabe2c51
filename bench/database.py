"""The database of a benchmark: empty, and never one that somebody uses."""

from __future__ import annotations

from django.conf import settings
from django.core.management import call_command
from django.db import connection

from partners.models import Credential, TimingPartner
from partners.secret import Secret
from project88.embedded_postgres import database_recreate
from project88.environment import text as variable
from races.models import Event, Race
from sync.demo.people import refuse_used_database


def empty_database() -> None:
    # A developer's machine keeps every statement in memory: no production does, and it would be measured.
    settings.DEBUG = False
    if not variable("DATABASE_URL"):
        connection.close()
        database_recreate(settings.BASE_DIR, database=connection.settings_dict["NAME"])
    call_command("migrate", verbosity=0, interactive=False)
    refuse_used_database()


def event_make(provider_event_id: int) -> Event:
    """An event of a race of its own."""
    name = f"bench-{provider_event_id}"
    partner = TimingPartner.objects.create(name=name, slug=name)
    key = Credential.objects.create(partner=partner, api_key=name, api_secret=Secret("x" * 20))
    race = Race.objects.create(partner=partner, credential=key, provider_race_id=provider_event_id, name=name)
    return Event.objects.create(race=race, provider_event_id=provider_event_id, name="5K")


def wal_bytes() -> int:
    """How much was ever written to the log; also by others, so the least of several differences counts."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'")
        return int(cursor.fetchone()[0])
