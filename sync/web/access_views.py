"""The people of a partner: invited, given single races or all, sent their link again, and taken off."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from partners.audit import PERSON, Action, actor_of, audit_note, person_name
from partners.gate import database_now
from partners.invitations import InvitationProblem, Links, account_for, invitation_send, link_lasts
from partners.models import TimingPartner
from partners.rights import is_staff_account, may
from races import director_access
from races.models import Race
from sync.core.tiers import zone_of
from sync.web import partner_access as selector
from sync.web.staff_partner import partner_to_change

VIEW = "partners.view_partnermembership"
GIVE = "partners.add_partnermembership", "races.add_raceaccess"
TAKE = "partners.delete_partnermembership", "races.delete_raceaccess"
ALL_RACES = "all"


@never_cache
@require_http_methods(["GET", "POST"])
def partner_access(request: HttpRequest, slug: str) -> HttpResponse:
    """Who sees its races; POST invites somebody."""
    needed = GIVE if request.method == "POST" else (VIEW,)
    partner = partner_to_change(request, slug, *needed)
    chosen, problem = _chosen(request, partner), ""
    if request.method == "POST":
        try:
            _invite(request, partner, chosen)
        except InvitationProblem as found:
            problem = found.text
        else:
            return redirect("partner_access", slug)
    shown = selector.partner_access(
        partner=partner,
        zone=zone_of(partner.timezone),
        now=database_now(),
        chosen=frozenset(race.pk for race in chosen or []),
    )
    context = {
        "partner": partner,
        "shown": shown,
        "problem": problem,
        "email": request.POST.get("email", "")[:254],
        "all_races": chosen is None,
        "lasts": link_lasts(),
        "may_give": may(request.user, *GIVE),
        "may_take": may(request.user, *TAKE),
        "section": "operations",
    }
    return render(request, "partners/partner_access.html", context)


def _chosen(request: HttpRequest, partner: TimingPartner) -> list[Race] | None:
    """The races that were ticked; None: all of the partner."""
    if request.method != "POST" or request.POST.get("scope") == ALL_RACES:
        return None
    ids = [int(pk) for pk in request.POST.getlist("race") if pk.isascii() and pk.isdigit() and len(pk) <= 18]
    return list(Race.objects.filter(partner=partner, pk__in=ids).only("pk", "name").order_by("name"))


def _invite(request: HttpRequest, partner: TimingPartner, races: list[Race] | None) -> None:
    if partner.left_at is not None and not partner.is_active:
        raise InvitationProblem(f"{partner} has left: nobody is invited. Resume it first.")
    if races == []:
        raise InvitationProblem("Tick at least one race, or choose all of them.")
    by, now = actor_of(request), database_now()
    user = account_for(email=request.POST.get("email", ""), by=by, now=now)
    ids = None if races is None else [race.pk for race in races]
    director_access.access_give(user=user, partner=partner, race_ids=ids, by=by, now=now)
    _send(request, user, partner, races, Action.INVITATION_SENT)


def _send(request: HttpRequest, user: User, partner: TimingPartner, races: list[Race] | None, action: Action) -> None:
    sees = f"all races of {partner}" if races is None else selector.races_words([race.name for race in races])
    links = Links(
        set_password=lambda uid, token: request.build_absolute_uri(
            reverse("password_reset_confirm", args=[uid, token])
        ),
        login=request.build_absolute_uri(reverse("login")),
    )
    invitation_send(user=user, sees=sees, invited_by=str(partner), links=links)
    # Not around the sending: a mail server may be slow, and no transaction waits for it.
    detail = {PERSON: person_name(user), "sees": sees}
    audit_note(action=action, by=actor_of(request), target=partner, detail=detail, now=database_now())
    what = "is told by mail" if user.has_usable_password() else f"gets a link to set a password, for {link_lasts()}"
    messages.success(request, f"{user.email} sees {sees}, and {what}.")


def _person(partner: TimingPartner, user_pk: int) -> User:
    """Somebody of this partner: nobody else is reached by it."""
    mine = Q(partner_memberships__partner=partner) | Q(race_access__race__partner=partner)
    return get_object_or_404(User.objects.filter(mine).distinct(), pk=user_pk)


@require_POST
def invitation_again(request: HttpRequest, slug: str, user_pk: int) -> HttpResponse:
    partner = partner_to_change(request, slug, *GIVE)
    user = _person(partner, user_pk)
    if is_staff_account(user) or not user.email:
        raise Http404
    is_member = partner.memberships.filter(user=user).exists()
    races = None if is_member else list(Race.objects.filter(partner=partner, access__user=user).order_by("name"))
    try:
        _send(request, user, partner, races, Action.INVITATION_SENT_AGAIN)
    except InvitationProblem as problem:
        messages.error(request, problem.text)
    return redirect("partner_access", slug)


@require_POST
def access_take(request: HttpRequest, slug: str, user_pk: int) -> HttpResponse:
    partner = partner_to_change(request, slug, *TAKE)
    user = _person(partner, user_pk)
    director_access.access_take(user=user, partner=partner, by=actor_of(request), now=database_now())
    messages.success(request, f"{user.get_username()} sees no race of {partner} any more.")
    return redirect("partner_access", slug)
