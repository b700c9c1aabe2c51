"""Pages that keep themselves current: the polled fragment is the template that the page includes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.utils.http import parse_etags
from django_htmx.http import HttpResponseClientRedirect

View = Callable[..., HttpResponse]

# Where a request carries the stamp of what it is about: sync.web.stamps.
STAMP = "stamp_of_rows"


def fragment(request: HttpRequest, template: str, context: dict[str, object]) -> HttpResponse:
    """The fragment with an ETag of its own bytes; 304 when the reader has them already. A stamp in the tag says as well
    when nothing changed, and may differ when the bytes do not."""
    response = render(request, template, context)
    digest = hashlib.blake2b(response.content, digest_size=16).hexdigest()
    response["ETag"] = f'"{digest}{getattr(request, STAMP, "")}"'
    # "no-cache" lets the browser keep it but asks each time; nobody else's cache may.
    patch_cache_control(response, private=True, no_cache=True)
    asked = parse_etags(request.headers.get("If-None-Match", ""))
    same = next((tag for tag in asked if tag.startswith(f'"{digest}')), response["ETag"])
    return get_conditional_response(request, etag=same, response=response) or response


def part(request: HttpRequest, template: str, context: dict[str, object]) -> HttpResponse:
    """A part that its page loads once it is there: the fragment. To a reader without JavaScript, who follows the link
    that stands in its place, a page of its own; `context` has `back_url` and `back_text` for it."""
    is_page = not getattr(request, "htmx", False)
    response = fragment(request, "races/part_page.html" if is_page else template, {**context, "part": template})
    # One address, two answers: the browser must not show the one for the other.
    patch_vary_headers(response, ["HX-Request"])
    return response


def polled(view: View) -> View:
    """For fragments: a reader whose session ended is taken to the login page as a whole.

    A redirect would be followed by the poll, and the login page would appear inside the page.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if not getattr(request, "htmx", False):
            return redirect_to_login(request.get_full_path())
        page = getattr(request.htmx, "current_url_abs_path", None) or "/"  # type: ignore[attr-defined]
        login = redirect_to_login(page, resolve_url(settings.LOGIN_URL))
        return HttpResponseClientRedirect(login.url)

    return login_not_required(wrapped)
