"""The backfills that load races of a partner: how far, how fast, until when, and what goes on with a stopped one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from django.db.models import Count, Max, Min, Q, Sum

from sync.core.time_words import counted
from sync.models import Backfill, BackfillStep
from sync.web.runs import short_error
from sync.web.times import Moment, moment
from sync.web.words import ICONS, Kind

SHOWN = 10
PROBLEMS = 3
# Read for all rows together: where hundreds of races fail, the first few say why.
PROBLEMS_READ = 200
# The pace is that of the races begun within this time; what was before an interruption says nothing about it.
PACE_OF = timedelta(hours=1)
# Of fewer races no pace is known.
LEAST_RACES = 3
# A race takes minutes. It takes longer when it is huge or when today's races leave the backfill no calls.
LONG_RACE = timedelta(minutes=30)
# Nobody relies on the minute, and a page that shows it would change at every look.
END_ROUNDED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRow:
    """`races`, `done`, `failed`, `pages`, `rows`: of this partner's races only; `scope`: of what else it is. `note`:
    what to know or do, "" when nothing; `pace`: "12 races an hour"; `ends`: the estimate. `problems`: a sentence for
    each race that was not loaded wholly, at most PROBLEMS."""

    pk: int
    scope: str
    word: str
    kind: Kind
    icon: str
    note: str
    command: str
    started: Moment | None
    finished: Moment | None
    races: int
    done: int
    failed: int
    percent: int
    pages: int
    rows: int
    calls: int
    pace: str
    ends: Moment | None
    problems: tuple[str, ...]
    problems_left: int


def backfill_rows(*, partner_id: int, zone: tzinfo, now: datetime) -> tuple[BackfillRow, ...]:
    """The newest first, at most SHOWN. Two queries."""
    mine = Q(steps__race__partner=partner_id)
    of_partner = Q(partner=partner_id) | Q(race__partner=partner_id) | Q(partner=None, race=None)
    newest = Backfill.objects.filter(of_partner).order_by("-pk").values("pk")[:SHOWN]
    done = mine & Q(steps__status=BackfillStep.Status.DONE)
    recent = Q(steps__started_at__gt=now - PACE_OF)
    backfills = list(
        Backfill.objects.filter(pk__in=newest)
        .select_related("partner", "race__partner")
        .defer("race__raw")
        .annotate(
            races=Count("steps", filter=mine),
            races_done=Count("steps", filter=done),
            races_failed=Count("steps", filter=mine & Q(steps__status=BackfillStep.Status.FAILED)),
            pages_read=Sum("steps__pages", filter=mine),
            rows_read=Sum("steps__rows", filter=mine),
            recent_done=Count("steps", filter=done & recent),
            recent_since=Min("steps__started_at", filter=done & recent),
            problems=Count("steps", filter=mine & ~Q(steps__error_text="")),
            last_begun=Max("steps__started_at", filter=mine),
        )
        .order_by("-pk")
    )
    problems = _problems([backfill.pk for backfill in backfills], partner_id=partner_id)
    # One of everything that began before the partner came has none of its races.
    shown = [backfill for backfill in backfills if backfill.races or backfill.partner_id or backfill.race_id]
    return tuple(_row(backfill, problems.get(backfill.pk, []), zone=zone, now=now) for backfill in shown)


def _problems(backfill_ids: list[int], *, partner_id: int) -> dict[int, list[str]]:
    steps = (
        BackfillStep.objects.filter(backfill__in=backfill_ids, race__partner=partner_id)
        .exclude(error_text="")
        .order_by("-backfill", "pk")
        .values_list("backfill_id", "race__name", "error_text")[:PROBLEMS_READ]
    )
    found: dict[int, list[str]] = {}
    for backfill_id, race, text in steps:
        found.setdefault(backfill_id, []).append(f"{race}: {short_error(text)}")
    return found


def _row(backfill, problems: list[str], *, zone: tzinfo, now: datetime) -> BackfillRow:
    word, kind, note = state_of(backfill, now=now)
    command = "" if word in {"Running", "Done", "Waiting"} else command_of(backfill)
    left = backfill.races - backfill.races_done - backfill.races_failed
    pace = _pace(backfill, now=now) if word == "Running" and left else None
    return BackfillRow(
        pk=backfill.pk,
        scope=_scope(backfill),
        word=word,
        kind=kind,
        icon=ICONS[kind],
        note=note,
        command=command,
        started=moment(backfill.started_at, zone=zone, now=now, seconds=False),
        finished=moment(backfill.finished_at, zone=zone, now=now, seconds=False),
        races=backfill.races,
        done=backfill.races_done,
        failed=backfill.races_failed,
        percent=round(100 * (backfill.races - left) / backfill.races) if backfill.races else 0,
        pages=backfill.pages_read or 0,
        rows=backfill.rows_read or 0,
        calls=backfill.calls,
        pace=f"{counted(max(1, round(pace)), 'race')} an hour" if pace else "",
        ends=moment(_end(left, pace, now=now), zone=zone, now=now, seconds=False) if pace else None,
        problems=tuple(problems[:PROBLEMS]),
        problems_left=backfill.problems - len(problems[:PROBLEMS]),
    )


def state_of(backfill, *, now: datetime) -> tuple[str, Kind, str]:
    """Word, kind, and what to know, of one annotated with `races_failed` and `last_begun`. Whoever runs it renews its
    claim also while it waits for a call."""
    if backfill.status == Backfill.Status.DONE:
        return "Done", Kind.GOOD, ""
    if backfill.by_cluster and (backfill.lease_until is None or backfill.lease_until <= now):
        begins = "begins when the races are found" if backfill.last_begun is None else "goes on within a minute or two"
        return "Waiting", Kind.BUSY, f"The cluster {begins}, and loads some minutes at a time."
    if backfill.status == Backfill.Status.INTERRUPTED:
        if backfill.races_failed:
            return "Ended with problems", Kind.WARN, "What could not be loaded is tried again when it is started again."
        return "Interrupted", Kind.WARN, "It goes on at the page where it stopped."
    if backfill.lease_until is None or backfill.lease_until <= now:
        return "Stopped without a word", Kind.BAD, "Its process died. It goes on at the page where it stopped."
    begun = backfill.last_begun or backfill.started_at
    if now - begun > LONG_RACE:
        note = "No new race for half an hour: a very long one, or today's races leave it no calls. It needs nobody."
        return "Running", Kind.WARN, note
    return "Running", Kind.BUSY, ""


def _scope(backfill: Backfill) -> str:
    if backfill.race is not None:
        what = f"Race {backfill.race.name}"
    else:
        what = "All its races" if backfill.partner_id else "All partners"
    return f"{what}, events since {backfill.since:%Y-%m-%d}" if backfill.since else what


def command_of(backfill: Backfill) -> str:
    """The one that goes on with it: the same scope."""
    parts = ["manage.py backfill"]
    if backfill.race is not None:
        parts.append(f"--partner {backfill.race.partner.slug} --race {backfill.race.provider_race_id}")
    elif backfill.partner is not None:
        parts.append(f"--partner {backfill.partner.slug}")
    if backfill.since:
        parts.append(f"--since {backfill.since:%Y-%m-%d}")
    return " ".join(parts)


def _pace(backfill, *, now: datetime) -> float | None:
    """Races an hour, None while too few are done to know."""
    if backfill.recent_done < LEAST_RACES or backfill.recent_since >= now:
        return None
    return backfill.recent_done / ((now - backfill.recent_since) / timedelta(hours=1))


def _end(left: int, pace: float, *, now: datetime) -> datetime:
    end = now + timedelta(hours=left / pace)
    return end + (datetime.min.replace(tzinfo=end.tzinfo) - end) % END_ROUNDED
