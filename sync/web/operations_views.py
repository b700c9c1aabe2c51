"""The staff page "Now" and its parts: what holds now is looked at every five seconds, the rest more seldom."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from partners.gate import database_now
from partners.rights import staff_only
from sync.services.policies import policy_now
from sync.web.key_rows import keys_now
from sync.web.last_day import last_day
from sync.web.live import fragment, part, polled
from sync.web.operations import operations as machine_now


@never_cache
@require_GET
def operations(request: HttpRequest) -> HttpResponse:
    staff_only(request.user)
    now, policy = database_now(), policy_now()
    machine = machine_now(now=now, policy=policy)
    context = {"machine": machine, "banner": machine.banner, "keys": keys_now(now=now, policy=policy)}
    return render(request, "operations/operations.html", {**context, "section": "operations"})


@require_GET
@polled
def operations_live(request: HttpRequest) -> HttpResponse:
    staff_only(request.user)
    machine = machine_now(now=database_now(), policy=policy_now())
    return fragment(request, "operations/_operations_live.html", {"machine": machine, "banner": machine.banner})


@require_GET
@polled
def operations_keys(request: HttpRequest) -> HttpResponse:
    staff_only(request.user)
    keys = keys_now(now=database_now(), policy=policy_now())
    return part(request, "operations/_keys.html", {"keys": keys, **_part_of_operations()})


@require_GET
@polled
def operations_day(request: HttpRequest) -> HttpResponse:
    staff_only(request.user)
    return part(request, "operations/_last_day.html", {"day": last_day(now=database_now()), **_part_of_operations()})


def _part_of_operations() -> dict[str, object]:
    return {"back_text": "Operations", "back_url": reverse("operations"), "section": "operations"}
