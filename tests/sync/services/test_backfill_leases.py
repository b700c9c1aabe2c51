"""The threads of a backfill renew each other's leases and never wait for each other in a circle."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction

from partners.gate import database_now
from sync.models import Backfill, SyncRun, Trigger
from sync.services.backfill import BackfillRunner, Scope, backfill_claim
from tests.factories import EventFactory
from tests.sync.provider_stage import in_threads

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_waits_for_calls_renews_the_open_runs_but_not_one_that_is_being_written():
    now = database_now()
    runs = [
        SyncRun.objects.create(
            event=EventFactory(),
            visit="00000000-0000-0000-0000-000000000000",
            trigger=Trigger.BACKFILL,
            started_at=now,
            lease_until=now,
        )
        for _ in range(3)
    ]
    runner = BackfillRunner(backfill_claim(Scope(), restart=False, now=now), tell=lambda _progress: None)
    runner._open_runs = {run.pk for run in runs}

    def hold_all() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        runner._hold_all()

    with transaction.atomic():
        # As a thread does that stores the last page of its race: its runs first, and then the backfill's row.
        SyncRun.objects.filter(pk=runs[0].pk).update(pages=1)
        in_threads(hold_all)
        Backfill.objects.update(calls=7)
    leases = dict(SyncRun.objects.values_list("pk", "lease_until"))
    assert leases[runs[0].pk] == now
    assert all(leases[run.pk] > now + timedelta(seconds=30) for run in runs[1:])
