"""The machine's memory: what is due, what ran, and that the scheduler is alive."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from partners.models import Credential, TimingPartner
from races.models import Event, Race


class Tier(models.TextChoices):
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class Trigger(models.TextChoices):
    SCHEDULED = "scheduled"
    MANUAL = "manual"
    BACKFILL = "backfill"
    DISCOVERY = "discovery"
    RECONCILE = "reconcile"


# What a person asked for; it is served also when the event is over.
ASKED_FOR = [Trigger.MANUAL, Trigger.RECONCILE]


class Outcome(models.TextChoices):
    OK = "ok"
    UNCHANGED = "unchanged"
    THROTTLED = "throttled"
    FAILED = "failed"
    REFUSED = "refused"
    GONE = "gone"
    LOST = "lost"


# What did not bring the list up to date, in the order of the choices.
BAD_OUTCOMES = [Outcome.THROTTLED, Outcome.FAILED, Outcome.REFUSED, Outcome.GONE, Outcome.LOST]


class Policy(models.Model):
    """The scheduling policy: one row. What it means and which values can work: sync.core.policy."""

    high_lead_minutes = models.PositiveIntegerField("HIGH begins, minutes before the start", default=240)
    medium_lead_minutes = models.PositiveIntegerField("MEDIUM begins, minutes before the start", default=1440)
    after_start_minutes = models.PositiveIntegerField("HIGH ends, minutes after the start", default=60)
    high_period_seconds = models.PositiveIntegerField("HIGH is synced every, seconds", default=60)
    medium_period_seconds = models.PositiveIntegerField("MEDIUM is synced every, seconds", default=300)
    low_period_seconds = models.PositiveIntegerField("LOW is synced every, seconds", default=3600)
    high_cap = models.PositiveIntegerField("HIGH events a cycle, at most", default=50)
    medium_cap = models.PositiveIntegerField("MEDIUM events a cycle, at most", default=20)
    low_cap = models.PositiveIntegerField("LOW events a cycle, at most", default=10)
    cycle_seconds = models.PositiveIntegerField("A cycle every, seconds", default=10)
    medium_needs_free = models.PositiveIntegerField("Calls that must be free for MEDIUM", default=4)
    low_needs_free = models.PositiveIntegerField("Calls that must be free for LOW", default=8)
    background_needs_free = models.PositiveIntegerField(
        "Calls that must be free for discovery, backfill and comparison", default=12
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="policy_one_row")]
        verbose_name_plural = "policy"

    def __str__(self) -> str:
        return "Scheduling policy"


class EventSync(models.Model):
    """When an event is due, how far its mirror is, and whether a cycle has picked it."""

    event = models.OneToOneField(Event, on_delete=models.CASCADE, primary_key=True, related_name="sync")
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="event_syncs")
    tier = models.CharField(max_length=6, choices=Tier, null=True, help_text="At `due_at`; null when not scheduled.")
    tier_until = models.DateTimeField(null=True, help_text="When the tier changes next.")
    due_at = models.DateTimeField(null=True, help_text="Null: not scheduled.")
    due_trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.SCHEDULED)
    picked_at = models.DateTimeField(null=True, help_text="A cycle handed it to the lane of its key.")
    picked_cycle = models.ForeignKey("Cycle", on_delete=models.SET_NULL, null=True, related_name="+")
    visits = models.PositiveIntegerField(default=0, help_text="Good visits so far: the cadence of the removal checks.")
    cursor = models.BigIntegerField(null=True, help_text="Provider time in Unix seconds.")
    removals_cursor = models.BigIntegerField(null=True)
    checked_at = models.DateTimeField(null=True, help_text="Start of the last complete fetch: the list is as of then.")
    removals_checked_at = models.DateTimeField(null=True, help_text="Start of the last complete look for withdrawals.")
    changed_at = models.DateTimeField(null=True, help_text="When the mirror last changed.")
    reconciled_at = models.DateTimeField(null=True, help_text="Start of the last full comparison.")
    # What the last full comparison found: sync.core.reconcile_words says it.
    listed_count = models.PositiveIntegerField(null=True, help_text="People in the provider's list.")
    mirror_count = models.PositiveIntegerField(null=True, help_text="People in the mirror afterwards.")
    reconcile_removed = models.PositiveIntegerField(default=0, help_text="Who left by it.")
    reconcile_rejected = models.PositiveIntegerField(default=0, help_text="Rows that could not be stored.")
    reconcile_kept = models.PositiveIntegerField(default=0, help_text="Not listed, yet not removed.")
    newest_registration_id = models.BigIntegerField(
        null=True, help_text="Up to here new registrations were looked for by their ids."
    )
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    hold_reason = models.TextField(blank=True, help_text="Why it is not synced, or what needs a person.")

    class Meta:
        indexes = [
            # One cycle's candidates: per tier the most overdue that no lane has yet.
            models.Index(
                fields=["tier", "due_at"], name="sync_due", condition=Q(due_at__isnull=False, picked_at__isnull=True)
            ),
            # A key's demand: its scheduled events by tier.
            models.Index(fields=["credential", "tier"], name="sync_of_key", condition=Q(due_at__isnull=False)),
            # A lane's work list.
            models.Index(fields=["credential", "picked_at"], name="sync_picked", condition=Q(picked_at__isnull=False)),
            # Which events change their tier now.
            models.Index(fields=["tier_until"], name="sync_retier", condition=Q(tier_until__isnull=False)),
        ]


class Cycle(models.Model):
    """One pass of the scheduler."""

    slot = models.DateTimeField(null=True, help_text="The scheduled time that it stands for.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    high_due = models.PositiveIntegerField(default=0)
    high_picked = models.PositiveIntegerField(default=0)
    high_deferred = models.PositiveIntegerField(default=0)
    medium_due = models.PositiveIntegerField(default=0)
    medium_picked = models.PositiveIntegerField(default=0)
    medium_deferred = models.PositiveIntegerField(default=0)
    low_due = models.PositiveIntegerField(default=0)
    low_picked = models.PositiveIntegerField(default=0)
    low_deferred = models.PositiveIntegerField(default=0)
    ok = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    throttled = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    gone = models.PositiveIntegerField(default=0)
    lost = models.PositiveIntegerField(default=0)
    calls = models.PositiveIntegerField(default=0)

    class Meta:
        # The latest cycles, for the pages.
        indexes = [models.Index(fields=["-started_at"], name="cycle_latest")]


class SyncRun(models.Model):
    """What one visit did for one event. `outcome` is empty while it runs."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="sync_runs")
    visit = models.UUIDField()
    cycle = models.ForeignKey(Cycle, on_delete=models.SET_NULL, null=True, related_name="sync_runs")
    trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.SCHEDULED)
    tier = models.CharField(max_length=6, choices=Tier, null=True)
    came_along = models.BooleanField(default=False, help_text="Not picked by the plan: same call, no cost.")
    full = models.BooleanField(default=False, help_text="A full comparison, not only what changed.")
    due_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True, help_text="Null once it is finished.")
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True)
    error_class = models.CharField(max_length=40, blank=True)
    error_text = models.TextField(blank=True)
    calls = models.PositiveIntegerField(default=0, help_text="Calls of the whole visit.")
    pages = models.PositiveIntegerField(default=0)
    fetched = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    cursor_before = models.BigIntegerField(null=True)
    cursor_after = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            # The last runs of an event.
            models.Index(fields=["event", "-started_at"], name="run_latest_of_event"),
            # Runs whose worker died: closed as lost by the next cycle.
            models.Index(fields=["lease_until"], name="run_open", condition=Q(lease_until__isnull=False)),
            # The history page, newest first, and pruning.
            models.Index(fields=["-started_at"], name="run_latest"),
            # The history page, of runs that went wrong: few, and far from each other on the disk. With what else is
            # filtered by, so that those are all that is read.
            models.Index(
                fields=["-started_at", "-id"],
                name="run_latest_bad",
                include=["event", "outcome", "trigger", "tier"],
                condition=Q(outcome__in=BAD_OUTCOMES),
            ),
            # The history page, of runs that the plan did not ask for: sync now, backfill, discovery, comparison.
            models.Index(
                fields=["-started_at", "-id"],
                name="run_latest_asked",
                include=["event", "outcome", "trigger", "tier"],
                condition=~Q(trigger=Trigger.SCHEDULED),
            ),
        ]


class EventDay(models.Model):
    """What the runs of one event came to on one day of its last 25 hours; outlives them."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="days")
    day = models.DateField(help_text="Race-local.")
    planned = models.PositiveIntegerField(help_text="Syncs that the policy wants on this day.")
    done = models.PositiveIntegerField(help_text="Good syncs.")
    failed = models.PositiveIntegerField(help_text="Tries that ended badly; those that waited for a call are not.")
    longest_gap = models.DurationField(null=True, help_text="Measured against the period that was planned.")
    longest_gap_at = models.DateTimeField(null=True, help_text="When that gap began; it may end on the next day.")
    longest_gap_cause = models.TextField(blank=True)
    last_change = models.DateTimeField(null=True)
    rolled_up_at = models.DateTimeField(help_text="After the day's end: final, and never reckoned again.")

    class Meta:
        # Also the index of an event's days.
        constraints = [models.UniqueConstraint(fields=["event", "day"], name="event_day_once")]


class Backfill(models.Model):
    """Loading the history of a partner, a race or everything; resumes where it stopped."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        INTERRUPTED = "interrupted"

    partner = models.ForeignKey(TimingPartner, on_delete=models.PROTECT, null=True, related_name="backfills")
    race = models.ForeignKey(Race, on_delete=models.CASCADE, null=True, related_name="backfills")
    since = models.DateField(null=True)
    status = models.CharField(max_length=12, choices=Status, default=Status.RUNNING)
    by_cluster = models.BooleanField(
        default=False, help_text="The cluster begins it and goes on with it by itself, a few minutes at a time."
    )
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    calls = models.PositiveIntegerField(default=0)


class BackfillStep(models.Model):
    """One race of a backfill."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        FAILED = "failed"

    backfill = models.ForeignKey(Backfill, on_delete=models.CASCADE, related_name="steps")
    race = models.ForeignKey(Race, on_delete=models.CASCADE, related_name="+")
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    after_registration_id = models.BigIntegerField(default=0, help_text="The last stored page ended here.")
    started_at = models.DateTimeField(null=True)
    server_time = models.BigIntegerField(
        null=True, help_text="The provider's clock when the first page was asked, Unix seconds: the cursors start here."
    )
    pages = models.PositiveIntegerField(default=0)
    rows = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    error_text = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["backfill", "race"], name="backfill_step_once")]


class Heartbeat(models.Model):
    """A sign of life. `cycle`: the scheduler; its row is also what makes cycles run one at a time."""

    name = models.CharField(max_length=40, primary_key=True)
    beat_at = models.DateTimeField(null=True)
    slot = models.DateTimeField(null=True)
