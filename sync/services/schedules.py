"""The rows that make django-q2 call us: made and mended by one idempotent function, never edited by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import reduce
from operator import or_

from django.db import connection
from django.db.models import Q
from django_q.models import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSpec:
    """`cron` has six fields, the seconds last. `intended_date_kwarg`: the task is told which slot it stands for.

    `daily_at` (UTC): once a day, at that time. `period`: the longest that it may have to wait for its next slot.
    """

    name: str
    func: str
    cron: str
    intended_date_kwarg: str | None = None
    daily_at: time | None = None
    period: timedelta = timedelta(minutes=1)

    def first_run(self, now: datetime) -> datetime:
        """At once what comes every few minutes; what comes once a day waits for its hour."""
        if self.daily_at is None:
            return now
        today = datetime.combine(now.astimezone(UTC).date(), self.daily_at, UTC)
        return today if today > now else today + DAY


LONGEST_CYCLE = timedelta(minutes=1)
DAY = timedelta(days=1)
# Late evening in America: the races of the day are over, those of the next morning are not in their last hours yet.
QUIET_HOUR = time(3, 20)


def schedule_specs(*, cycle: timedelta) -> tuple[ScheduleSpec, ...]:
    """`cycle` divides a minute."""
    seconds = int(cycle.total_seconds())
    every = "0" if seconds == LONGEST_CYCLE.total_seconds() else f"*/{seconds}"
    return (
        ScheduleSpec(
            name="sync-cycle", func="sync.tasks.cycle", cron=f"* * * * * {every}", intended_date_kwarg="intended"
        ),
        ScheduleSpec(name="discoveries", func="sync.tasks.discoveries", cron="* * * * *"),
        ScheduleSpec(name="background", func="sync.tasks.background", cron="* * * * *"),
        # Receipts of what runs now are a few minutes old at most; pages reckon what is open from the runs.
        ScheduleSpec(name="event-days", func="sync.tasks.event_days", cron="*/5 * * * *", period=timedelta(minutes=5)),
        ScheduleSpec(
            name="prune",
            func="sync.tasks.prune",
            cron=f"{QUIET_HOUR.minute} {QUIET_HOUR.hour} * * *",
            daily_at=QUIET_HOUR,
            period=DAY,
        ),
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
        row = rows[0] if rows else Schedule(name=spec.name)
        if row.pk and all(getattr(row, name) == value for name, value in wanted.items()):
            continue
        for name, value in wanted.items():
            setattr(row, name, value)
        row.next_run = spec.first_run(now)
        row.save()
        written += 1
    return written


def schedules_unstick(*, now: datetime) -> int:
    """A clock that jumped ahead left slots in the far future: they come now, not when it would have been right."""
    slack = 2 * LONGEST_CYCLE
    specs = schedule_specs(cycle=LONGEST_CYCLE)
    stuck = reduce(or_, (Q(name=spec.name, next_run__gt=now + spec.period + slack) for spec in specs))
    return Schedule.objects.filter(stuck).update(next_run=now)


def missing_schedules(*, cycle: timedelta) -> list[str]:
    """Names of schedules that are not there or were altered; none before the first migration."""
    if Schedule._meta.db_table not in connection.introspection.table_names():
        return []
    present = set(Schedule.objects.filter(schedule_type=Schedule.CRON).values_list("name", "func", "cron"))
    return [spec.name for spec in schedule_specs(cycle=cycle) if (spec.name, spec.func, spec.cron) not in present]
