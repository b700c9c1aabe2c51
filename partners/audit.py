"""Who did what, when and from where. An entry is written in the transaction of what it records: both or neither."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Model, Q
from django.db.models.expressions import CombinedExpression
from django.http import HttpRequest

from partners.models import AuditEntry, TimingPartner
from project88.client_address import client_address

NAME_CHARACTERS, TEXT_CHARACTERS, ADDRESS_CHARACTERS = 200, 300, 120
# The word of `detail` under which a person stands, so that the retention finds it.
PERSON = "person"


class Action(models.TextChoices):
    """What is noted, in the words of the pages: "anna: paused a key"."""

    PARTNER_ONBOARDED = "partner_onboarded", "onboarded a partner"
    PARTNER_CHANGED = "partner_changed", "changed a partner"
    PARTNER_PAUSED = "partner_paused", "paused a partner"
    PARTNER_RESUMED = "partner_resumed", "resumed a partner"
    PARTNER_DELETED = "partner_deleted", "deleted a partner"
    PARTNER_LEFT = "partner_left", "off-boarded a partner"
    ERASURE_ASKED = "erasure_asked", "asked for a partner's data to be erased"
    ERASURE_FINISHED = "erasure_finished", "finished erasing a partner's data"
    KEY_ADDED = "key_added", "added a key"
    KEY_CHANGED = "key_changed", "changed a key"
    KEY_VERIFIED = "key_verified", "verified a key"
    KEY_PAUSED = "key_paused", "paused a key"
    KEY_RESUMED = "key_resumed", "resumed a key"
    KEY_DELETED = "key_deleted", "deleted a key"
    KEY_REPLACED = "key_replaced", "replaced a key"
    SECRET_CHANGED = "secret_changed", "changed a key's secret"
    DISCOVERY_ASKED = "discovery_asked", "asked for races"
    RACE_PAUSED = "race_paused", "paused a race"
    RACE_RESUMED = "race_resumed", "resumed a race"
    SYNC_ASKED = "sync_asked", "asked for a sync"
    COMPARISON_ASKED = "comparison_asked", "asked for a full comparison"
    BACKFILL_STARTED = "backfill_started", "started a backfill"
    REMOVAL_CONFIRMED = "removal_confirmed", "confirmed held removals"
    REMOVAL_DISCARDED = "removal_discarded", "kept people whose removal was held"
    POLICY_CHANGED = "policy_changed", "changed the policy"
    LIST_EXPORTED = "list_exported", "exported a start list"
    LIST_DOWNLOADED = "list_downloaded", "downloaded an exported list again"
    CHANGES_DOWNLOADED = "changes_downloaded", "downloaded the changes since an export"
    LINK_MADE = "link_made", "made a share link"
    LINK_REVOKED = "link_revoked", "revoked a share link"
    ACCESS_GIVEN = "access_given", "gave access"
    ACCESS_TAKEN = "access_taken", "took access away"
    INVITATION_SENT = "invitation_sent", "sent an invitation"
    INVITATION_SENT_AGAIN = "invitation_sent_again", "sent an invitation again"
    ACCOUNT_ADDED = "account_added", "added an account"
    ACCOUNT_CHANGED = "account_changed", "changed an account"
    ACCOUNT_DELETED = "account_deleted", "deleted an account"
    GROUP_ADDED = "group_added", "added a group"
    GROUP_CHANGED = "group_changed", "changed a group's rights"
    GROUP_DELETED = "group_deleted", "deleted a group"
    LOGGED_IN = "logged_in", "logged in"
    LOGIN_FAILED = "login_failed", "failed to log in"
    LOGIN_UNLOCKED = "login_unlocked", "unlocked a login"
    SECOND_FACTOR_ON = "second_factor_on", "switched the second factor on"
    SECOND_FACTOR_OFF = "second_factor_off", "switched the second factor off"
    SECOND_FACTOR_RESET = "second_factor_reset", "reset a second factor"
    RECOVERY_CODES_RENEWED = "recovery_codes_renewed", "made new recovery codes"
    SECRETS_ROTATED = "secrets_rotated", "started to encrypt secrets anew"
    SECRETS_DISCARDED = "secrets_discarded", "emptied secrets that no key opens"
    PRUNED = "pruned", "started a prune"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does it and from where. `user_id`: None for a command, and for somebody who has not logged in."""

    user_id: int | None
    name: str
    address: str


def actor_of(request: HttpRequest) -> Actor:
    return Actor(user_id=request.user.pk, name=request.user.get_username(), address=client_address(request))


def command_actor() -> Actor:
    """The operating system's user, whatever the environment says; behind sudo also who asked it."""
    name = _machine_user()
    asked = os.environ.get("SUDO_USER", "")
    name = f"{name} (sudo by {asked})" if asked and asked != name else name
    return Actor(user_id=None, name=name, address=f"command line of {socket.gethostname()}")


def cluster_actor() -> Actor:
    """For the end of what somebody asked for earlier."""
    return Actor(user_id=None, name=_machine_user(), address=f"cluster on {socket.gethostname()}")


def _machine_user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def person_name(user: AbstractBaseUser) -> str:
    """For PERSON. Whoever was invited has a mail address for a user name, which no entry holds: "account 12"."""
    name = user.get_username()
    return f"account {user.pk}" if "@" in name else name


def audit_note(
    *, action: Action, by: Actor, target: Model | None, now: datetime, detail: Mapping[str, Any] | None = None
) -> None:
    """Note one thing. Inside the transaction of what it records.

    `detail`: short values, or [old, new]; never a secret or contact data. A person goes under PERSON and nowhere else.
    """
    _entry(target, action=action, by=by, detail=detail, now=now).save()


def audit_note_all(
    *, action: Action, by: Actor, targets: Iterable[Model], now: datetime, detail: Mapping[str, Any] | None = None
) -> None:
    """The same of many objects, with one statement."""
    entries = [_entry(target, action=action, by=by, detail=detail, now=now) for target in targets]
    AuditEntry.objects.bulk_create(entries)


def _entry(
    target: Model | None, *, action: Action, by: Actor, detail: Mapping[str, Any] | None, now: datetime
) -> AuditEntry:
    return AuditEntry(
        at=now,
        user_id=by.user_id,
        username=by.name[:NAME_CHARACTERS],
        action=action.value,
        object_type=target._meta.label_lower if target is not None else "",
        object_id=str(target.pk) if target is not None else "",
        object_text=_text(target)[:TEXT_CHARACTERS],
        partner_id=_partner_id(target),
        detail=dict(detail or {}),
        address=by.address[:ADDRESS_CHARACTERS],
    )


def _text(target: Any) -> str:
    """An event's name alone says little: "5K of Harbor Lights"."""
    if isinstance(target, AbstractBaseUser):
        return person_name(target)
    race = getattr(target, "race", None)
    return f"{target} of {race}" if race is not None else str(target or "")


def _partner_id(target: Any) -> int | None:
    """Whose it is: its own partner, or that of its race."""
    if isinstance(target, TimingPartner):
        return target.pk
    own = getattr(target, "partner_id", None)
    race = getattr(target, "race", None)
    return own if own is not None or race is None else _partner_id(race)


def audit_people_blank(*, before: datetime) -> int:
    """Forget who it was in entries from before `before`; what was done, to what and when, stays. How many entries."""
    return entries_to_blank(before=before).update(
        user=None,
        username="",
        address="",
        object_id=_unless_account("object_id"),
        object_text=_unless_account("object_text"),
        detail=CombinedExpression(models.F("detail"), "-", models.Value(PERSON), output_field=models.JSONField()),
    )


def entries_to_blank(*, before: datetime) -> models.QuerySet[AuditEntry]:
    of_account = Q(object_type=_account_type()) & ~Q(object_id="")
    named = ~Q(username="") | ~Q(address="") | Q(user__isnull=False) | Q(detail__has_key=PERSON) | of_account
    return AuditEntry.objects.filter(named, at__lt=before)


def _unless_account(field: str) -> models.Case:
    return models.Case(models.When(object_type=_account_type(), then=models.Value("")), default=models.F(field))


def _account_type() -> str:
    return get_user_model()._meta.label_lower
