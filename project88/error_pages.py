"""Our own pages for what does not exist and for what is no page, while developing and in the demo too."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import Resolver404, resolve
from django.views.defaults import page_not_found


class OwnPagesMiddleware:
    """Stands behind those that add headers, so that our pages have them, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return own_page(request, self.get_response(request))


def own_page(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """`response`, or our page in place of the one with which Django answers 404 under DEBUG: that one lists every
    address and its styles break our Content-Security-Policy. Its page for a failure (500) stays: it is for us. A view
    that made a 404 page of its own says so with `is_own_page`."""
    if response.status_code == 405 and not response.content and request.method == "GET":
        return _only_a_form(request, response)
    is_page = response.get("Content-Type", "").startswith("text/html")
    if settings.DEBUG and response.status_code == 404 and is_page and not getattr(response, "is_own_page", False):
        return page_not_found(request, Http404())
    return response


def _only_a_form(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Whoever pressed a button after the session had ended comes here from the login, and would see an empty page."""
    page = render(request, "405.html", {"back": _page_above(request.path)}, status=405)
    page["Allow"] = response["Allow"]
    return page


def _page_above(path: str) -> str:
    """The nearest address above `path` that exists: "/races/5/sync-now/" belongs to "/races/5/"."""
    while path.strip("/"):
        path = path.rstrip("/").rpartition("/")[0] + "/"
        try:
            resolve(path)
        except Resolver404:
            continue
        return path
    return "/"
