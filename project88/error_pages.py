"""Our own page for what does not exist, while developing and in the demo too."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.defaults import page_not_found


def own_page(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """`response`, or our page in place of the one with which Django answers 404 under DEBUG: that one lists every
    address and its styles break our Content-Security-Policy. Its page for a failure (500) stays: it is for us. A view
    that made a 404 page of its own says so with `is_own_page`."""
    is_page = response.get("Content-Type", "").startswith("text/html")
    if settings.DEBUG and response.status_code == 404 and is_page and not getattr(response, "is_own_page", False):
        return page_not_found(request, Http404())
    return response
