"""Logins of staff, and the failed ones, noted by Django's signals. To be imported once the apps are loaded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from partners.audit import Action, Actor, audit_note
from partners.gate import database_now
from partners.models import AuditEntry
from partners.rights import STAFF_ACCOUNTS, is_staff_account
from project88.client_address import client_address

# Of one account and address once in this time: whoever tries passwords must not fill the table.
FAILED_ONCE_IN = timedelta(minutes=1)


@receiver(user_logged_in)
def note_login(sender: Any, request: HttpRequest, user: Any, **_more: Any) -> None:
    if is_staff_account(user):
        by = Actor(user_id=user.pk, name=user.get_username(), address=client_address(request))
        audit_note(action=Action.LOGGED_IN, by=by, target=user, now=database_now())


@receiver(user_login_failed)
def note_failed_login(
    sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_more: Any
) -> None:
    """Only of an account that exists: what else was typed as a name may be a password."""
    users, name = get_user_model(), credentials.get("username")
    staff = users._default_manager.filter(STAFF_ACCOUNTS)
    user = staff.filter(**{users.USERNAME_FIELD: name}).first() if isinstance(name, str) and request else None
    if user is None or request is None:
        return
    now, by = database_now(), Actor(user_id=None, name="", address=client_address(request))
    lately = AuditEntry.objects.filter(
        object_type=user._meta.label_lower, object_id=str(user.pk), at__gt=now - FAILED_ONCE_IN
    )
    if not lately.filter(action=Action.LOGIN_FAILED, address=by.address).exists():
        audit_note(action=Action.LOGIN_FAILED, by=by, target=user, now=now)
