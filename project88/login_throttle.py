"""Failed logins, counted by account and address; django-axes calls this for every login, the admin's too.

A stranger who types wrong passwords locks the account for the address that they come from, not for its owner. Only
passwords from many addresses lock the account as a whole, and then not for the addresses that it was lately used from.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from axes.handlers.base import AbstractAxesHandler, AxesBaseHandler
from axes.helpers import get_client_username
from axes.models import AccessFailureLog, AccessLog
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.timezone import now as clock

logger = logging.getLogger(__name__)

ACCOUNT, ADDRESS = "username", "ip_address"
# From an address that a login of the account succeeded from within so many days, its owner gets in.
OWNERS_ADDRESS = timedelta(days=30)
FAILURES_KEPT = timedelta(days=30)
LOGINS_KEPT = timedelta(days=180)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """So many failures with the same `same` within `within`, and the next attempt waits for the oldest to pass."""

    same: tuple[str, ...]
    failures: int
    within: timedelta


GUESSING = Limit(same=(ACCOUNT, ADDRESS), failures=5, within=timedelta(minutes=15))
# The crew of a race shares one address: a few of them mistype, one machine that tries a list of accounts does not stop.
ONE_MACHINE = Limit(same=(ADDRESS,), failures=40, within=timedelta(minutes=15))
MANY_MACHINES = Limit(same=(ACCOUNT,), failures=30, within=timedelta(hours=1))


def locked_until(*, username: str, address: str | None, now: datetime) -> datetime | None:
    """When this account may be tried from this address again; None: now."""
    who = {ACCOUNT: username, ADDRESS: address}
    found = [_full_until(limit, who=who, now=now) for limit in (GUESSING, ONE_MACHINE)]
    by_account = _full_until(MANY_MACHINES, who=who, now=now)
    if by_account and not _is_owners(username=username, address=address, now=now):
        found.append(by_account)
    return max((until for until in found if until), default=None)


def _full_until(limit: Limit, *, who: dict[str, str | None], now: datetime) -> datetime | None:
    rows = AccessFailureLog.objects.filter(
        attempt_time__gt=now - limit.within, **{name: who[name] for name in limit.same}
    )
    if limit.same == GUESSING.same and (since := _last_login(who)):
        rows = rows.filter(attempt_time__gt=since)
    oldest = rows.order_by("-attempt_time").values_list("attempt_time", flat=True)[limit.failures - 1 : limit.failures]
    return next((at + limit.within for at in oldest), None)


def _last_login(who: dict[str, str | None]) -> datetime | None:
    rows = AccessLog.objects.filter(**who).order_by("-attempt_time")
    return rows.values_list("attempt_time", flat=True).first()


def _is_owners(*, username: str, address: str | None, now: datetime) -> bool:
    used = AccessLog.objects.filter(username=username, ip_address=address, attempt_time__gt=now - OWNERS_ADDRESS)
    return address is not None and used.exists()


class LoginThrottle(AbstractAxesHandler, AxesBaseHandler):
    """What django-axes asks and tells. While an account is locked nothing is counted, so that nobody prolongs it."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        axes: Any = request
        username = get_client_username(request, credentials) or ""
        axes.login_locked_until = locked_until(
            username=username, address=axes.axes_ip_address, now=axes.axes_attempt_time
        )
        return axes.login_locked_until is not None

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        username = get_client_username(request, credentials)
        address = request.axes_ip_address  # type: ignore[attr-defined]
        return AccessFailureLog.objects.filter(username=username, ip_address=address).count()

    def user_login_failed(
        self, sender: object, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: object
    ) -> None:
        axes: Any = request
        if axes is None:
            return
        if not axes.axes_locked_out:
            AccessFailureLog.objects.create(**_record(axes, get_client_username(axes, credentials) or ""))
            # Counted up to this failure, too: whoever used the last try is told at once.
            axes.axes_attempt_time = clock()
            axes.axes_locked_out = self.is_locked(axes, credentials)
        logger.warning(
            "Login refused" if axes.axes_locked_out else "Login failed",
            extra={"action": "login_failed", "address": axes.axes_ip_address, "locked": axes.axes_locked_out},
        )

    def user_logged_in(self, sender: object, request: HttpRequest, user: AbstractBaseUser, **kwargs: object) -> None:
        axes: Any = request
        if axes.axes_ip_address is None:
            # Not somebody at a browser.
            return
        AccessLog.objects.create(**_record(axes, user.get_username()))
        logger.info("Login", extra={"action": "login", "user": user.get_username(), "address": axes.axes_ip_address})

    def user_logged_out(self, sender: object, request: HttpRequest, user: object, **kwargs: object) -> None:
        """Nothing: when somebody left is not needed to let them in."""

    def reset_attempts(
        self, *, ip_address: str | None = None, username: str | None = None, ip_or_username: bool = False
    ) -> int:
        """What `manage.py axes_reset_username NAME` and the admin's button call."""
        who = {name: value for name, value in ((ADDRESS, ip_address), (ACCOUNT, username)) if value}
        return AccessFailureLog.objects.filter(**who).delete()[0]


def _record(request: Any, username: str) -> dict[str, Any]:
    return {
        "username": username[:255],
        "ip_address": request.axes_ip_address,
        "user_agent": request.axes_user_agent,
        "path_info": request.axes_path_info,
    }


def locked_page(
    request: HttpRequest, original_response: HttpResponse | None = None, credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """429: what to do and when."""
    now = clock()
    until: datetime = getattr(request, "login_locked_until", None) or now
    seconds = max(1, math.ceil((until - now).total_seconds()))
    response = render(
        request, "registration/locked.html", {"until": until, "minutes": math.ceil(seconds / 60)}, status=429
    )
    response["Retry-After"] = str(seconds)
    return response


def login_records_prune(*, now: datetime) -> None:
    """Delete what no limit looks at any more, and sessions that are over."""
    AccessFailureLog.objects.filter(attempt_time__lt=now - FAILURES_KEPT).delete()
    AccessLog.objects.filter(attempt_time__lt=now - LOGINS_KEPT).delete()
    Session.objects.filter(expire_date__lt=now).delete()
