"""The mirror: what the provider says about races, events and participants, and what changed when."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import F, Q

from partners.models import Credential, TimingPartner
from races.folded_names import Folded


class Race(models.Model):
    """A race of a partner; it keeps its id over the years, its events are new each year."""

    partner = models.ForeignKey(TimingPartner, on_delete=models.PROTECT, related_name="races")
    credential = models.ForeignKey(
        Credential, on_delete=models.PROTECT, related_name="races", help_text="The key that last saw this race."
    )
    provider_race_id = models.BigIntegerField()
    name = models.TextField()
    timezone = models.CharField(max_length=64, blank=True, help_text="IANA name as the provider gives it.")
    city = models.TextField(blank=True)
    state = models.TextField(blank=True)
    country_code = models.CharField(max_length=8, blank=True)
    url = models.TextField(blank=True)
    next_date = models.DateField(null=True)
    is_draft = models.BooleanField(default=False)
    is_private = models.BooleanField(default=False)
    registration_open = models.BooleanField(default=False)
    sync_enabled = models.BooleanField(default=True, help_text="Off: this race is not synced.")
    raw = models.TextField(blank=True)
    seen_at = models.DateTimeField(null=True, help_text="When discovery last saw it.")
    gone_at = models.DateTimeField(null=True, blank=True, help_text="When the provider said that it does not exist.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["partner", "provider_race_id"], name="race_once_per_partner"),
        ]
        indexes = [
            # Commands take the provider's id without a partner.
            models.Index(fields=["provider_race_id"], name="race_by_provider_id"),
        ]

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    """One distance of one edition of a race."""

    race = models.ForeignKey(Race, on_delete=models.CASCADE, related_name="events")
    provider_event_id = models.BigIntegerField()
    name = models.TextField()
    starts_at = models.DateTimeField(null=True, help_text="UTC.")
    start_is_placeholder = models.BooleanField(
        default=False, help_text="The provider gave no time of day or no usable zone."
    )
    start_moved_from = models.DateTimeField(
        null=True, editable=False, help_text="The start before the provider moved it last."
    )
    start_moved_at = models.DateTimeField(null=True, editable=False, help_text="When discovery saw that it had moved.")
    ends_at = models.DateTimeField(null=True)
    distance = models.TextField(blank=True)
    event_type = models.TextField(blank=True)
    registration_opens_at = models.DateTimeField(null=True)
    raw = models.TextField(blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)
    blanked_at = models.DateTimeField(
        null=True, blank=True, help_text="When its people's contact data was blanked; none is stored since."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["race", "provider_event_id"], name="event_once_per_race"),
        ]
        indexes = [
            # Commands take the provider's id without a race.
            models.Index(fields=["provider_event_id"], name="event_by_provider_id"),
            # The race list: which races have an event from yesterday on.
            models.Index(fields=["starts_at"], name="event_by_start"),
        ]

    def __str__(self) -> str:
        return self.name


class Participant(models.Model):
    """One registration in an event. Who left stays, with `removed_at` and the reason."""

    # No index of its own: `participant_once_per_event` begins with it.
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="participants", db_index=False)
    registration_id = models.BigIntegerField()
    user_id = models.BigIntegerField(null=True)
    first_name = models.TextField(blank=True)
    middle_name = models.TextField(blank=True)
    last_name = models.TextField(blank=True)
    email = models.TextField(blank=True)
    phone = models.TextField(blank=True)
    dob = models.DateField(null=True)
    gender = models.CharField(max_length=1, blank=True, help_text="M, F, X or unknown.")
    age = models.SmallIntegerField(null=True)
    street = models.TextField(blank=True)
    city = models.TextField(blank=True)
    state = models.TextField(blank=True)
    zipcode = models.TextField(blank=True)
    country_code = models.TextField(blank=True)
    bib = models.TextField(blank=True)
    chip = models.TextField(blank=True)
    team_id = models.BigIntegerField(null=True)
    team_name = models.TextField(blank=True)
    registered_at = models.DateTimeField(null=True)
    modified_at = models.DateTimeField(null=True, help_text="The provider's last_modified.")
    amount_paid = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    imported = models.BooleanField(default=False)
    is_anonymous = models.BooleanField(default=False)
    answers = models.JSONField(default=list, help_text="[{question_id, question, response}]")
    raw = models.TextField(blank=True, help_text="The provider's own bytes.")
    raw_hash = models.BinaryField(max_length=16, help_text="xxh3 of `raw`: byte for byte the same?")
    content_hash = models.BinaryField(
        max_length=16, help_text="The first half of sha256 of the columns: did anything change that counts?"
    )
    removed_at = models.DateTimeField(null=True)
    removed_reason = models.CharField(
        max_length=20, blank=True, help_text="removed, transferred, deferred, cleared, missing"
    )
    successor_registration_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            # Includes the hash, so that the hashes of an event are read from the index alone.
            models.UniqueConstraint(
                fields=["event", "registration_id"], include=["raw_hash"], name="participant_once_per_event"
            ),
        ]
        indexes = [
            # "Who has bib 1207 in this event", duplicates of a bib; the active ones of an event.
            models.Index(fields=["event", "bib"], name="participant_active_bib", condition=Q(removed_at=None)),
            # How many left an event, and how many of them today: asked at every poll, and few of an event's people.
            models.Index(
                fields=["event", "removed_at"], name="participant_left", condition=Q(removed_at__isnull=False)
            ),
            # "Where did this registration come from", on the page of a participant.
            models.Index(
                fields=["successor_registration_id"],
                name="participant_successor",
                condition=Q(successor_registration_id__isnull=False),
            ),
            # The search of all pages, by registration id.
            models.Index(fields=["registration_id"], name="participant_by_registration"),
            # The search of all pages, by the beginning of the last name: a range for each of the events looked in.
            models.Index(
                F("event"), OpClass(Folded("last_name"), "text_pattern_ops"), name="participant_by_folded_name"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or f"registration {self.registration_id}"


class ParticipantChange(models.Model):
    """One real change of one participant, with old and new values."""

    class Kind(models.TextChoices):
        ADDED = "added"
        CHANGED = "changed"
        REMOVED = "removed"
        RESTORED = "restored"
        TRANSFERRED = "transferred"

    # No database constraint: its check is a sixth of the server's work for a new participant and would find nothing. A
    # change is written in the transaction that wrote its participant, and only Django deletes people, with their race.
    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="changes", db_constraint=False)
    # The participant's, which never changes: so that an event's changes are one range of an index. No database
    # constraint: that of the participant holds it, and a check per row would cost the first load dearly.
    event = models.ForeignKey(
        Event,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        editable=False,
        related_name="participant_changes",
    )
    kind = models.CharField(max_length=12, choices=Kind)
    changes = models.JSONField(default=dict, help_text="{field: [old, new]}")
    at = models.DateTimeField(help_text="When the mirror took the change over.")
    # No database constraint: the history of changes outlives the run, whose rows are pruned first.
    sync_run = models.ForeignKey(
        "sync.SyncRun", on_delete=models.DO_NOTHING, null=True, db_constraint=False, related_name="participant_changes"
    )

    class Meta:
        ordering = ["at", "id"]
        indexes = [
            # "Who had bib 1207 in this event": of its people only those whose bib ever changed are looked at.
            models.Index(fields=["participant"], name="change_of_bib", condition=Q(changes__has_key="bib")),
            # The history of an event, newest first, and the changes of its last day.
            models.Index(fields=["event", "-at", "-id"], name="change_latest_of_event"),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.event_id is None:
            self.event_id = self.participant.event_id
        super().save(*args, **kwargs)


class HeldRemoval(models.Model):
    """Too many people were missing from a complete list at once: nobody was removed, a person decides.

    Open until it is decided, or until a later complete list is whole again. Of a discarded one, `kept_ids` are those
    who are still not listed: they stay, and nobody is asked about them again.
    """

    class Decision(models.TextChoices):
        CONFIRMED = "confirmed", "they have left"
        DISCARDED = "discarded", "they are kept"
        RESOLVED = "resolved", "the list was whole again"

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="held_removals")
    # No database constraint, like that of a change.
    sync_run = models.ForeignKey(
        "sync.SyncRun", on_delete=models.DO_NOTHING, null=True, db_constraint=False, related_name="+"
    )
    found_at = models.DateTimeField("since")
    registration_ids = ArrayField(models.BigIntegerField(), help_text="Who was missing at the last complete list.")
    kept_ids = ArrayField(models.BigIntegerField(), default=list)
    listed_before = models.PositiveIntegerField(help_text="How many the mirror listed.")
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="held_removals"
    )
    decision = models.CharField(max_length=9, choices=Decision, blank=True)

    class Meta:
        constraints = [
            # Also how a comparison, the event's page and the operations page find the open ones.
            models.UniqueConstraint(fields=["event"], condition=Q(decided_at=None), name="held_removal_one_open"),
        ]

    def __str__(self) -> str:
        return f"{len(self.registration_ids)} of {self.listed_before} people of {self.event}"


class StartListExport(models.Model):
    """A start list that somebody took away: what was in it, for "what changed since" and for the same file again."""

    class Format(models.TextChoices):
        CSV = "csv"
        JSON = "json"

    race = models.ForeignKey(Race, on_delete=models.CASCADE, related_name="start_list_exports")
    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, null=True, related_name="start_list_exports", help_text="Null: the whole race."
    )
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    format = models.CharField(max_length=4, choices=Format)
    as_of = models.DateTimeField(null=True, help_text="The oldest of its events' lists was as of then.")
    rows = models.PositiveIntegerField()
    heading = models.JSONField(help_text="Race, time zone and events as they were called then: races.export_cells.")
    snapshot = models.BinaryField(help_text="zlib of JSON, {participant pk: [exported columns]}, in the file's order.")

    class Meta:
        indexes = [
            # The last exports, for the pages of the race and of its events.
            models.Index(fields=["race", "-made_at"], name="export_latest"),
        ]


class ShareLink(models.Model):
    """A link to a race's status without a login, for the race's own team. Only the hash of its token is kept."""

    race = models.ForeignKey(Race, on_delete=models.CASCADE, related_name="share_links")
    token_hash = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256, hexadecimal.")
    label = models.CharField(max_length=80, blank=True, help_text="Whom it is for.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    last_used_at = models.DateTimeField(null=True, help_text="To the hour.")

    def __str__(self) -> str:
        return f"{self.label or 'Link'} · {self.race}"


class RaceAccess(models.Model):
    """A race director's right to see one race."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="race_access")
    race = models.ForeignKey(Race, on_delete=models.CASCADE, related_name="access")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "race"], name="race_access_once")]
        verbose_name_plural = "race access"

    def __str__(self) -> str:
        return f"{self.user} · {self.race}"
