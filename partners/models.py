"""Who we talk to: timing partners, their API credentials, the call budget of each, and who may look."""

from __future__ import annotations

import zoneinfo

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MinValueValidator
from django.db import models

from partners.encryption import EncryptedField


def validate_timezone(value: str) -> None:
    if value not in zoneinfo.available_timezones():
        raise ValidationError(f"{value!r} is not a time zone. Use an IANA name such as America/Denver.")


class TimingPartner(models.Model):
    """A timing company."""

    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, unique=True)
    contact_email = models.EmailField(blank=True)
    alert_email = models.EmailField(
        "alert address", blank=True, help_text="Who is written to when its key is refused or its lists fall behind."
    )
    timezone = models.CharField(max_length=64, default="America/New_York", validators=[validate_timezone])
    is_active = models.BooleanField(default=True, help_text="Off: nothing of this partner is synced.")
    created_at = models.DateTimeField(auto_now_add=True)
    left_at = models.DateTimeField(
        null=True, editable=False, help_text="When it was off-boarded: its keys and its people's access went then."
    )
    erase_asked_at = models.DateTimeField(
        null=True, editable=False, help_text="All of it is being erased, in batches, until this row goes too."
    )

    class Meta:
        ordering = ["name"]
        # Django's own rights are about editing rows; this one is about what the machine does with them.
        permissions = [("operate", "Can sync now, pause, resume and compare everything")]

    def __str__(self) -> str:
        return self.name


class Credential(models.Model):
    """One API key pair of a partner at a provider."""

    class KeyStyle(models.TextChoices):
        # First, because it keeps the secret out of URLs, and so out of the logs of whatever lies between.
        HEADER = "header", "rsu_api_key + X-RSU-API-SECRET (header)"
        QUERY = "query", "api_key + api_secret (query)"

    class Status(models.TextChoices):
        UNVERIFIED = "unverified"
        OK = "ok"
        REFUSED = "refused"
        PAUSED = "paused"

    partner = models.ForeignKey(TimingPartner, on_delete=models.PROTECT, related_name="credentials")
    label = models.CharField(max_length=80, default="main")
    provider = models.CharField(max_length=30, default="runsignup", choices=[("runsignup", "RunSignUp")])
    api_key = models.CharField(max_length=200)
    api_secret = EncryptedField()
    key_style = models.CharField(max_length=10, choices=KeyStyle, default=KeyStyle.HEADER)
    hourly_limit = models.PositiveIntegerField(default=1000, validators=[MinValueValidator(10)])
    status = models.CharField(max_length=12, choices=Status, default=Status.UNVERIFIED)
    status_detail = models.TextField(blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    refused_at = models.DateTimeField(null=True, blank=True, help_text="When the provider last refused this key.")
    discovered_at = models.DateTimeField(null=True, blank=True, help_text="End of the last complete discovery.")
    discovery_claimed_until = models.DateTimeField(
        null=True, help_text="No other discovery starts before this: one is running, or the last one failed."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["partner", "label"], name="credential_label_once_per_partner"),
            # The call budget belongs to the key: the same key entered twice would be spent twice.
            models.UniqueConstraint(fields=["provider", "api_key"], name="credential_key_once"),
        ]
        ordering = ["partner__name", "label"]

    def __str__(self) -> str:
        return f"{self.partner} · {self.label}"


class CallBudget(models.Model):
    """The state of one credential's call budget and of its lane. Its clock is the database's."""

    credential = models.OneToOneField(Credential, on_delete=models.CASCADE, primary_key=True, related_name="budget")
    theoretical_arrival_at = models.DateTimeField(null=True, help_text="GCRA: when the bucket is full again.")
    rate_per_hour = models.PositiveIntegerField(null=True, help_text="Null: the credential's hourly limit.")
    rate_changed_at = models.DateTimeField(null=True)
    paused_until = models.DateTimeField(null=True)
    calls_in_flight = ArrayField(
        models.DateTimeField(), default=list, help_text="When each running call gives its place back at the latest."
    )
    lane_fence = models.BigIntegerField(
        default=0, help_text="Grows with each claim: proves that a lane is still the lane."
    )
    lane_lease_until = models.DateTimeField(null=True)
    lane_called_at = models.DateTimeField(null=True, help_text="When a cycle last queued a lane task.")
    used_elsewhere_at = models.DateTimeField(
        null=True, help_text="When the provider last throttled this key although we had made far fewer calls."
    )
    used_elsewhere_calls = models.PositiveIntegerField(default=0, help_text="Our calls in the hour before that.")


class CallPlace(models.Model):
    """One of the provider calls that the whole installation may have at once. Free: `held_until` is null or past.

    Made when first needed, as many as the setting says; those above it stay and are not given out.
    """

    number = models.PositiveIntegerField(primary_key=True)
    held_until = models.DateTimeField(null=True)


class ApiUsage(models.Model):
    """Calls of a credential in one minute."""

    credential = models.ForeignKey(Credential, on_delete=models.CASCADE, related_name="usage")
    minute = models.DateTimeField()
    calls = models.PositiveIntegerField(default=0)
    throttled = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            # Also the index of "calls in the last hour" of a credential.
            models.UniqueConstraint(fields=["credential", "minute"], name="api_usage_credential_minute"),
        ]


class TrialCall(models.Model):
    """A call made with a key that is not stored: "test this key" before a partner is onboarded.

    A key that turns out to be good has its trial calls booked into its call budget when it is stored; of a key that is
    refused nothing stays but these rows, for an hour, and they hold a digest, not the key.
    """

    key_digest = models.CharField(max_length=64)
    at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        # The calls of one key in the last hour.
        indexes = [models.Index(fields=["key_digest", "at"], name="trial_call_of_key")]


class PartnerMembership(models.Model):
    """A user who may see all races of a partner."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="partner_memberships")
    partner = models.ForeignKey(TimingPartner, on_delete=models.PROTECT, related_name="memberships")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "partner"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} · {self.partner}"


class AuditEntry(models.Model):
    """Somebody did something, and from where. Written by `partners.audit` only.

    A trigger refuses every change and every DELETE. What it lets through: user and partner become null when their rows
    go, and once an entry is older than 28 days, the person is blanked (`audit_people_blank`).
    """

    at = models.DateTimeField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    username = models.CharField(
        max_length=200, blank=True, help_text="As it was then; of a command, the machine's user."
    )
    # Without choices: what can be noted is a list in `partners.audit`, not a state of the database.
    action = models.CharField(max_length=40)
    object_type = models.CharField(max_length=60, blank=True, help_text="Such as partners.credential.")
    object_id = models.CharField(max_length=40, blank=True)
    object_text = models.CharField(max_length=300, blank=True, help_text="What it was called then.")
    # Its index is below.
    partner = models.ForeignKey(
        TimingPartner, null=True, on_delete=models.SET_NULL, related_name="audit_entries", db_index=False
    )
    detail = models.JSONField(
        default=dict, encoder=DjangoJSONEncoder, help_text="Never a secret or contact data. A person is `person`."
    )
    address = models.CharField(max_length=120, blank=True, help_text="The browser's, or the command's machine.")

    class Meta:
        # Nobody can be given the right to add, change or delete one.
        default_permissions = ("view",)
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        ordering = ["-at", "-pk"]
        indexes = [
            # The last of a partner's page, the list by partner, and SET_NULL of an erased partner.
            models.Index(fields=["partner", "-at"], name="audit_of_partner"),
            # The list, the latest first, and what is older than the retention time.
            models.Index(fields=["-at"], name="audit_by_time"),
            # Whether the same login failed a moment ago.
            models.Index(fields=["object_type", "object_id", "-at"], name="audit_of_object"),
        ]

    def __str__(self) -> str:
        return f"{self.action} · {self.object_text}"
