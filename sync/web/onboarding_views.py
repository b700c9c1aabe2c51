"""What staff do with a partner besides looking: choose its races, replace a key, off-board it."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from partners.audit import actor_of
from partners.credential_problems import CredentialProblem
from partners.forms import KeyTestForm
from partners.gate import database_now
from partners.models import Credential
from partners.rights import may
from partners.secret import Secret
from sync.core.time_words import counted
from sync.services import offboarding
from sync.services.erasure import erasure_counts
from sync.services.key_rotation import UnseenRaces
from sync.services.key_rotation import key_rotate as rotate
from sync.web.race_choice import race_choices, races_choose
from sync.web.staff_partner import partner_to_change

SWITCH = "races.change_race"
ROTATE = "partners.add_credential", "partners.change_credential"
LEAVE = "partners.change_timingpartner"
ERASE = "partners.delete_timingpartner"


@never_cache
@require_http_methods(["GET", "POST"])
def partner_races_choose(request: HttpRequest, slug: str) -> HttpResponse:
    needed = SWITCH if request.method == "POST" else "races.view_race"
    partner, now = partner_to_change(request, slug, needed), database_now()
    if request.method == "POST":
        shown, ticked = _ids(request, "shown"), _ids(request, "race")
        switched = races_choose(partner=partner, shown=shown, ticked=ticked, by=actor_of(request), now=now)
        messages.success(request, f"{counted(switched.off, 'race')} switched off, {switched.on} switched on.")
        return redirect("partner_page", slug)
    context = {
        "partner": partner,
        "races": race_choices(partner=partner, now=now),
        "may_switch": may(request.user, SWITCH),
        "section": "operations",
    }
    return render(request, "partners/races_choose.html", context)


def _ids(request: HttpRequest, name: str) -> list[int]:
    return [int(pk) for pk in request.POST.getlist(name) if pk.isascii() and pk.isdigit() and len(pk) <= 18]


@never_cache
@require_http_methods(["GET", "POST"])
def key_rotate(request: HttpRequest, slug: str, key_pk: int) -> HttpResponse:
    partner = partner_to_change(request, slug, *ROTATE)
    # The old secret is needed for nothing, and need not be readable any more.
    key = get_object_or_404(
        Credential.objects.defer("api_secret").select_related("partner"), partner=partner, pk=key_pk
    )
    form = KeyTestForm(request.POST or None, initial={"key_style": key.key_style})
    problem, unseen = "", False
    if request.method == "POST" and form.is_valid():
        try:
            _rotate(request, key, form)
        except CredentialProblem as found:
            problem, unseen = found.text, isinstance(found, UnseenRaces)
        else:
            return redirect("partner_page", slug)
    context = {
        "partner": partner,
        "key": key,
        "form": form,
        "problem": problem,
        "unseen": unseen,
        "section": "operations",
    }
    return render(request, "partners/key_rotate.html", context)


def _rotate(request: HttpRequest, key: Credential, form: forms.Form) -> None:
    done = rotate(
        credential=key,
        api_key=form.cleaned_data["api_key"],
        api_secret=Secret(form.cleaned_data["secret"]),
        key_style=form.cleaned_data["key_style"],
        even_if_unseen="even_if_unseen" in request.POST,
        by=actor_of(request),
        now=database_now(),
    )
    messages.success(request, f"Key {done.credential.label} is replaced. {done.report.detail}")
    if done.retired is not None:
        retired = Credential.objects.values_list("label", flat=True).get(pk=done.retired.pk)
        messages.success(
            request,
            f"{counted(done.races, 'race')} changed over. What runs now ends with the old key, which is paused as "
            f"“{retired}”: revoke it at RunSignUp, then delete it here.",
        )


@never_cache
@require_http_methods(["GET", "POST"])
def partner_leave(request: HttpRequest, slug: str) -> HttpResponse:
    erase = request.POST.get("data") == "erase"
    partner, now = partner_to_change(request, slug, LEAVE, *([ERASE] if erase else [])), database_now()
    problem = ""
    if request.method == "POST":
        try:
            left = offboarding.partner_leave(
                partner=partner,
                typed_slug=request.POST.get("slug", ""),
                erase=erase,
                by=actor_of(request),
                now=now,
            )
        except offboarding.NotConfirmed:
            problem = f"Nothing happened: type {partner.slug} to confirm."
        else:
            messages.success(request, _left_text(left, erase=erase))
            return redirect("partner_leave", slug)
    context = {
        "partner": partner,
        "counts": erasure_counts(partner),
        "keys": partner.credentials.exclude(api_key__startswith=offboarding.GONE).count(),
        "may_erase": may(request.user, ERASE),
        "problem": problem,
        "section": "operations",
    }
    return render(request, "partners/partner_leave.html", context)


def _left_text(left: offboarding.Left, *, erase: bool) -> str:
    people = "1 person lost" if left.people == 1 else f"{left.people} people lost"
    gone = f"{counted(left.keys, 'key')} deleted, {people} access, {counted(left.links, 'link')} revoked"
    closed = f", {counted(left.accounts, 'account')} closed" if left.accounts else ""
    then = "Its data is being erased: this page counts what is left." if erase else "Its data is kept as it was."
    return f"Off-boarded: {gone}{closed}. {then}"
