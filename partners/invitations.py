"""Accounts for people of the races: made by invitation, entered through a one-time link in a mail.

The link is Django's own for a forgotten password: it works once, until it expires, and no password is known to anybody
but who sets it. It is never shown on a page nor stored; only the mail has it.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from partners.audit import Action, Actor, audit_note
from partners.rights import is_staff_account

logger = logging.getLogger(__name__)

# The user name is the address, and Django's user names end there.
LONGEST_EMAIL = 150


class InvitationProblem(Exception):
    """Nobody was invited; `text` says why and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """How the addresses of the pages that a mail names are made: `set_password` from the user's id and the token."""

    set_password: Callable[[str, str], str]
    login: str


def account_for(*, email: str, by: Actor, now: datetime) -> User:
    """The account of this address, made when there is none; one that was closed opens again, for a new password.

    Raises InvitationProblem. Two who invite the same person at once get the same account.
    """
    email = _checked(email)
    users = get_user_model().objects
    with transaction.atomic():
        known = list(users.filter(Q(username__iexact=email) | Q(email__iexact=email)).order_by("pk")[:2])
        if known:
            user, is_new = _usable(known, email=email), False
        else:
            user, is_new = users.get_or_create(username=email, defaults={"email": email})
        if is_new or not user.is_active:
            action = Action.ACCOUNT_ADDED if is_new else Action.ACCOUNT_CHANGED
            detail = {} if is_new else {"is_active": [False, True]}
            # Whatever password it had: who comes back sets a new one.
            user.set_unusable_password()
            user.is_active = True
            user.save(update_fields=["password", "is_active"])
            audit_note(action=action, by=by, target=user, detail=detail, now=now)
    return user


def _checked(email: str) -> str:
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        text = f"“{email[:80]}” is not an e-mail address. Enter one such as mara@example.org."
        raise InvitationProblem(text) from None
    if len(email) > LONGEST_EMAIL:
        raise InvitationProblem(f"The address is longer than {LONGEST_EMAIL} characters, which no user name may be.")
    return email


def _usable(known: list[User], *, email: str) -> User:
    """The one account, if it is this person's and may be given something."""
    user = known[0]
    if len(known) > 1:
        raise InvitationProblem(f"Two accounts have the address {email}: mend that under Users in the admin first.")
    if user.email.lower() != email:
        # The mail goes to the account's address, which must be the one that was typed.
        raise InvitationProblem(f"The user {email} has another address or none: mend that under Users in the admin.")
    if is_staff_account(user):
        raise InvitationProblem(f"{email} belongs to staff, who see all races.")
    sees_something = user.partner_memberships.exists() or user.race_access.exists()  # type: ignore[attr-defined]
    if not user.is_active and (sees_something or user.has_usable_password()):
        # Not closed because a partner left: somebody shut this person out, and other races would open, too.
        raise InvitationProblem(f"The account {email} was switched off: switch it on under Users in the admin first.")
    return user


def invitation_send(*, user: User, sees: str, invited_by: str, links: Links) -> None:
    """Write to `user` what it may see, with a link to set a password when it has none. Raises InvitationProblem when
    the mail cannot be sent: account and access stay, and it can be sent again."""
    link = ""
    if not user.has_usable_password():
        token = default_token_generator.make_token(user)
        link = links.set_password(urlsafe_base64_encode(force_bytes(user.pk)), token)
    context = {
        "user_name": user.get_username(),
        "sees": sees,
        "invited_by": invited_by,
        "link": link,
        "login": links.login,
        "lasts": link_lasts(),
    }
    # One line, whatever is in a race's name: a line break would begin another header.
    subject = " ".join(f"Your access to {sees} in Project88".split())[:150]
    try:
        send_mail(subject, render_to_string("mail/invitation.txt", context), None, [user.email])
    except (smtplib.SMTPException, OSError) as error:
        logger.warning("Mail not sent", extra={"action": "mail_failed", "error": type(error).__name__})
        raise InvitationProblem(
            "The access is given, but the mail could not be sent: check EMAIL_URL, then send the link again."
        ) from None
    logger.info("Invitation sent", extra={"action": "invitation_sent", "user": user.pk})


def link_lasts() -> str:
    """How long a link works, in words."""
    days = timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT) // timedelta(days=1)
    return "one day" if days <= 1 else f"{days} days"


class ForgottenPasswordForm(PasswordResetForm):
    """Also for who was invited and never set a password: the link of the invitation may have expired."""

    def get_users(self, email: str):
        return get_user_model().objects.filter(email__iexact=email, is_active=True)
