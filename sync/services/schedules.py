"""The rows that make django-q2 call us: made and mended by one idempotent function, never edited by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django_q.models import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSpec:
    """`cron` has six fields, the seconds last. `intended_date_kwarg`: the task is told which slot it stands for."""

    name: str
    func: str
    cron: str
    intended_date_kwarg: str | None = None


# The longest that a schedule of ours may have to wait for its next slot.
LONGEST_PERIOD = timedelta(minutes=1)


def schedule_specs(*, cycle: timedelta) -> tuple[ScheduleSpec, ...]:
    """`cycle` divides a minute."""
    seconds = int(cycle.total_seconds())
    every = "0" if seconds == LONGEST_PERIOD.total_seconds() else f"*/{seconds}"
    return (
        ScheduleSpec(
            name="sync-cycle", func="sync.tasks.cycle", cron=f"* * * * * {every}", intended_date_kwarg="intended"
        ),
        ScheduleSpec(name="discoveries", func="sync.tasks.discoveries", cron="* * * * *"),
    )


def schedules_ensure(*, now: datetime, cycle: timedelta) -> int:
    """Create what is missing and mend what differs; returns how many rows were written.

    A row that is right keeps its `next_run`: a restart neither skips nor repeats a slot. Two rows of one name would run
    everything twice, so all but the first go.
    """
    written = 0
    for spec in schedule_specs(cycle=cycle):
        rows = list(Schedule.objects.filter(name=spec.name).order_by("pk"))
        written += Schedule.objects.filter(pk__in=[row.pk for row in rows[1:]]).delete()[0]
        wanted = {
            "func": spec.func,
            "schedule_type": Schedule.CRON,
            "cron": spec.cron,
            "intended_date_kwarg": spec.intended_date_kwarg,
            "repeats": -1,
            "args": None,
            "kwargs": None,
            "hook": None,
            "cluster": None,
        }
        row = rows[0] if rows else Schedule(name=spec.name, next_run=now)
        if row.pk and all(getattr(row, name) == value for name, value in wanted.items()):
            continue
        for name, value in wanted.items():
            setattr(row, name, value)
        row.next_run = now
        row.save()
        written += 1
    return written


def schedules_unstick(*, now: datetime) -> int:
    """A clock that jumped ahead left slots in the far future: they come now, not when it would have been right."""
    names = [spec.name for spec in schedule_specs(cycle=LONGEST_PERIOD)]
    return Schedule.objects.filter(name__in=names, next_run__gt=now + 2 * LONGEST_PERIOD).update(next_run=now)


def missing_schedules(*, cycle: timedelta) -> list[str]:
    """Names of schedules that are not there or were altered; none before the first migration."""
    if Schedule._meta.db_table not in connection.introspection.table_names():
        return []
    present = set(Schedule.objects.filter(schedule_type=Schedule.CRON).values_list("name", "func", "cron"))
    return [spec.name for spec in schedule_specs(cycle=cycle) if (spec.name, spec.func, spec.cron) not in present]
