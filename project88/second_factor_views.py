"""The pages of the second factor: asking for a code after the password, and switching it on and off."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.timezone import now as clock
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect
from django_otp import login as mark_verified

from partners.audit import Action, actor_of, audit_note
from partners.gate import database_now
from project88 import second_factor as service

# Whoever has only typed their password gets no further than these.
OPEN = {"login", "logout", "login_code", "share_page", "share_live", "favicon", "admin:login", "admin:logout"}
SET_UP = {"second_factor", "second_factor_begin", "second_factor_confirm"}
WRONG = "This code is not right. Codes change every 30 seconds: type the one that the app shows now."

View = Callable[[HttpRequest], HttpResponse]


class SecondFactorMiddleware:
    """Staff with a second factor see no page, file or fragment before they typed its code; those who must have one
    and have none see no other page than the one to set it up. Stands behind the login, for the site and the admin."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: object, _args: object, _kwargs: object) -> HttpResponse | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        if name in OPEN or not service.may_have_one(request.user) or request.user.is_verified():  # type: ignore[union-attr]
            return None
        if service.is_asked(request.user):
            return _away(request, "login_code")
        if service.is_required(request.user) and name not in SET_UP:
            return _away(request, "second_factor")
        return None


def _away(request: HttpRequest, name: str) -> HttpResponse:
    """To the page `name`. A redirect of a poll would be followed by the poll, and show a page within the page."""
    if getattr(request, "htmx", False):
        back = getattr(request.htmx, "current_url_abs_path", None) or "/"  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(_with_next(name, back))
    back = request.get_full_path() if request.method == "GET" else "/"
    return HttpResponseRedirect(_with_next(name, back))


def _with_next(name: str, back: str) -> str:
    return f"{reverse(name)}?{urlencode({'next': back})}"


def _next_url(request: HttpRequest) -> str:
    """Where to go on: a page of this site and of no other."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else resolve_url(settings.LOGIN_REDIRECT_URL)


@sensitive_post_parameters("code")
@never_cache
@require_http_methods(["GET", "POST"])
def login_code(request: HttpRequest) -> HttpResponse:
    """The second step of a login."""
    user: Any = request.user
    if user.is_verified() or not service.is_on(user):
        return redirect(_next_url(request))
    problem, status = "", 200
    if request.method == "POST":
        checked = service.second_factor_check(user=user, code=request.POST.get("code", ""))
        if checked.device:
            # Who had seen the session of the first step does not have that of the second.
            request.session.cycle_key()
            mark_verified(request, checked.device)
            return redirect(_next_url(request))
        problem, status = _problem(checked), 429 if checked.locked_until else 200
    context = {"problem": problem, "next": _next_url(request)}
    return render(request, "registration/login_code.html", context, status=status)


def _problem(checked: service.Checked) -> str:
    if checked.locked_until is None:
        return WRONG
    seconds = max(1, math.ceil((checked.locked_until - clock()).total_seconds()))
    wait = f"{seconds} seconds" if seconds < 100 else f"{math.ceil(seconds / 60)} minutes"
    return f"Too many wrong codes: this one was not tried. Wait {wait}, then type the code that the app shows then."


def for_staff(view: View) -> View:
    @wraps(view)
    def wrapped(request: HttpRequest) -> HttpResponse:
        if not service.may_have_one(request.user):
            raise Http404
        return view(request)

    return wrapped


@never_cache
@require_GET
@for_staff
def second_factor(request: HttpRequest) -> HttpResponse:
    """Whether it is on, and the key to scan while it is being set up."""
    user: Any = request.user
    is_on = service.is_on(user)
    device = None if is_on else service.begun(user)
    return render(
        request,
        "registration/second_factor.html",
        {
            "is_on": is_on,
            "is_required": service.is_required(user),
            "qr": service.qr_code(device) if device else "",
            "app_url": device.config_url if device else "",
            "key": service.key_in_words(device) if device else "",
            "codes_left": service.recovery_codes_left(user) if is_on else 0,
        },
    )


@sensitive_post_parameters("password")
@require_POST
@for_staff
def second_factor_begin(request: HttpRequest) -> HttpResponse:
    """With the password again: somebody at a computer left unlocked must not lock its owner out."""
    user: Any = request.user
    who = authenticate(request, username=user.get_username(), password=request.POST.get("password", ""))
    if who is None or who.pk != user.pk:
        messages.error(request, "The password is not right. Nothing was changed.")
    elif not service.is_on(user):
        service.second_factor_begin(user=user)
    return redirect("second_factor")


@sensitive_post_parameters("code")
@require_POST
@for_staff
def second_factor_confirm(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        checked, codes = service.second_factor_confirm(user=request.user, code=request.POST.get("code", ""))
        if codes:
            _note(request, Action.SECOND_FACTOR_ON)
    if not codes:
        messages.error(request, _problem(checked))
        return redirect("second_factor")
    mark_verified(request, checked.device)
    return _codes_page(request, codes, is_new=True)


@sensitive_post_parameters("code")
@require_POST
@for_staff
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """New ones in place of the old ones."""
    checked = service.second_factor_check(user=request.user, code=request.POST.get("code", ""))
    if checked.device is None:
        messages.error(request, _problem(checked))
        return redirect("second_factor")
    with transaction.atomic():
        codes = service.recovery_codes_make(user=request.user)
        _note(request, Action.RECOVERY_CODES_RENEWED)
    return _codes_page(request, codes, is_new=False)


@sensitive_post_parameters("code")
@require_POST
@for_staff
def second_factor_off(request: HttpRequest) -> HttpResponse:
    checked = service.second_factor_check(user=request.user, code=request.POST.get("code", ""))
    if checked.device is None:
        messages.error(request, _problem(checked))
    else:
        with transaction.atomic():
            if service.second_factor_forget(user=request.user):
                _note(request, Action.SECOND_FACTOR_OFF)
        messages.success(request, "The second factor is off: a login asks for your password only.")
    return redirect("second_factor")


def _note(request: HttpRequest, action: Action) -> None:
    user: Any = request.user
    audit_note(action=action, by=actor_of(request), target=user, now=database_now())


def _codes_page(request: HttpRequest, codes: list[str], *, is_new: bool) -> HttpResponse:
    response = render(request, "registration/recovery_codes.html", {"codes": codes, "is_new": is_new})
    # Shown once: nobody keeps this page, the browser neither.
    patch_cache_control(response, no_store=True, private=True)
    return response
