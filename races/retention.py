"""Contact data of events that are long over: blanked, in the participants and in their history. Counts and names stay.

What goes is `participant_columns.BLANK` and the provider's own text. An event is worked off in transactions of some
thousand people each; a person is done when the content hash is empty, so it goes on where it stopped.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from partners.audit import audit_people_blank
from races.models import Event, Participant, StartListExport
from races.participant_columns import BLANK
from races.race_lock import race_lock

PEOPLE_PER_TRANSACTION = 2000
# A start in year 1 or 9999 stands for "not known yet": nothing is over because of it.
FIRST_BELIEVED = datetime(1900, 1, 1, tzinfo=UTC)
LAST_BELIEVED = datetime(2200, 1, 1, tzinfo=UTC)
# The provider's clock and ours may differ; a registration from further ahead is none.
CLOCKS_DIFFER_BY = timedelta(days=1)

# Literals, whatever the types of the columns. The empty hashes: see participant_columns.without_contact.
_BLANK_PEOPLE = """
    UPDATE races_participant
    SET email = '', phone = '', dob = NULL, street = '', zipcode = '', amount_paid = NULL, answers = '[]',
        raw = '', raw_hash = '', content_hash = ''
    WHERE id IN (SELECT id FROM races_participant WHERE event_id = %s AND content_hash <> '' LIMIT %s)
    RETURNING id
"""
# Two equal values: that a field changed stays known, from what to what does not.
_BLANK_CHANGES = """
    UPDATE races_participantchange AS change
    SET changes = (
        SELECT jsonb_object_agg(key, CASE WHEN key = ANY(%s) THEN '[null, null]' ELSE value END)
        FROM jsonb_each(change.changes)
    )
    WHERE participant_id = ANY(%s) AND changes ?| %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blanked:
    """An event of which people were blanked just now; `done`: nobody is left."""

    event_id: int
    people: int
    changes: int
    done: bool


@dataclass(slots=True, kw_only=True)
class RetentionReport:
    """`events` are wholly done. `exports`: remembered start lists that were deleted. `audit`:
    audit entries that do not name the person any more. `reopened`: events that were
    blanked and do not count as over any more. `finished`: nothing is left."""

    events: int = 0
    people: int = 0
    changes: int = 0
    exports: int = 0
    audit: int = 0
    reopened: int = 0
    finished: bool = False


def months_before(now: datetime, months: int) -> datetime:
    """The same day and time so many calendar months ago; the last day of a month that has no such day."""
    years, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    return now.replace(year=years, month=month + 1, day=min(now.day, monthrange(years, month + 1)[1]))


def events_over(*, before: datetime, now: datetime) -> QuerySet[Event]:
    """Events that ended before `before`, blanked or not, and in which nobody registered since.

    Who registers says that an event is still to come, whatever wrong date it has.
    """
    late = Participant.objects.filter(
        event=OuterRef("pk"), registered_at__gte=before, registered_at__lt=now + CLOCKS_DIFFER_BY
    )
    over = Event.objects.filter(starts_at__gte=FIRST_BELIEVED, starts_at__lt=before)
    return over.exclude(Q(ends_at__gte=before) & Q(ends_at__lt=LAST_BELIEVED)).exclude(Exists(late))


def events_to_blank(*, months: int, now: datetime) -> QuerySet[Event]:
    """What `retention_apply` would work off, the oldest first; none when `months` is 0."""
    if not months:
        return Event.objects.none()
    over = events_over(before=months_before(now, months), now=now)
    return over.filter(blanked_at=None).order_by("starts_at", "pk")


def people_to_blank(events: QuerySet[Event]) -> int:
    return Participant.objects.filter(event__in=events.order_by()).exclude(content_hash=b"").count()


def events_reopen(*, months: int, now: datetime) -> int:
    """Forget that events were blanked that count as long over no more: their date was wrong, or more is to be kept.

    Their contact data comes back with the next full comparison or backfill, from the provider.
    """
    blanked = Event.objects.filter(blanked_at__isnull=False)
    if months:
        # Once blanked, late registrations reopen nothing: nobody shall undo it by accident.
        before = months_before(now, months)
        blanked = blanked.exclude(starts_at__gte=FIRST_BELIEVED, starts_at__lt=before)
    return blanked.update(blanked_at=None)


def exports_to_delete(*, months: int, now: datetime) -> QuerySet[StartListExport]:
    """What was taken away so long ago that nobody asks any more what changed since."""
    if not months:
        return StartListExport.objects.none()
    return StartListExport.objects.filter(made_at__lt=months_before(now, months))


def retention_apply(
    *,
    months: int,
    now: datetime,
    tell: Callable[[Blanked], object] = lambda _blanked: None,
    stop: Callable[[], bool] = lambda: False,
) -> RetentionReport:
    """Blank what is over for more than `months` (0: nothing). `stop` is asked between two transactions."""
    report = RetentionReport(
        reopened=events_reopen(months=months, now=now),
        exports=exports_to_delete(months=months, now=now).delete()[0],
        audit=audit_people_blank(before=months_before(now, months)) if months else 0,
    )
    for blanked in _events_blank(events_to_blank(months=months, now=now), now=now):
        report.events += blanked.done
        report.people += blanked.people
        report.changes += blanked.changes
        tell(blanked)
        if stop():
            report.finished = not events_to_blank(months=months, now=now).exists()
            return report
    report.finished = True
    return report


def _events_blank(events: QuerySet[Event], *, now: datetime) -> Iterator[Blanked]:
    for event in events.only("pk", "race_id"):
        yield from _event_blank(event, now=now)


def _event_blank(event: Event, *, now: datetime) -> Iterator[Blanked]:
    done = False
    while not done:
        with transaction.atomic(), connection.cursor() as cursor:
            # Whoever stores people of this race waits, or sees afterwards that the event is blanked.
            race_lock(event.race_id)
            cursor.execute(_BLANK_PEOPLE, [event.pk, PEOPLE_PER_TRANSACTION])
            people = [pk for (pk,) in cursor.fetchall()]
            cursor.execute(_BLANK_CHANGES, [list(BLANK), people, list(BLANK)])
            changes = cursor.rowcount
            done = len(people) < PEOPLE_PER_TRANSACTION
            if done:
                Event.objects.filter(pk=event.pk).update(blanked_at=now)
        yield Blanked(event_id=event.pk, people=len(people), changes=changes, done=done)
