"""The table of pages: what every browser test of "all pages" and `make pictures` walk over.

Each name of `project88.urls` has its place here; a new one without a place fails a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.test import RequestFactory
from django.urls import URLPattern, reverse

from partners.models import Credential
from project88.urls import urlpatterns


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The rows that the pages are shown of."""

    partner_slug: str
    race_pk: int
    event_pk: int
    participant_pk: int
    export_pk: int
    share_token: str
    search: str


def _nothing(_places: Places) -> tuple[object, ...]:
    return ()


def _race(places: Places) -> tuple[object, ...]:
    return (places.race_pk,)


def _event(places: Places) -> tuple[object, ...]:
    return (places.race_pk, places.event_pk)


def _export(places: Places) -> tuple[object, ...]:
    return (places.race_pk, places.export_pk)


def _partner(places: Places) -> tuple[object, ...]:
    return (places.partner_slug,)


def _key_of(places: Places) -> int:
    return Credential.objects.filter(partner__slug=places.partner_slug).values_list("pk", flat=True)[0]


PAGES: Mapping[str, Callable[[Places], tuple[object, ...]]] = {
    "race_list": _nothing,
    "race_page": _race,
    "race_checks": _race,
    "race_doubts": _race,
    "event_page": _event,
    "event_day_live": _event,
    "event_changes": _event,
    "event_runs": _event,
    "event_why": _event,
    "event_doubts": _event,
    "event_receipt": _event,
    "export_changes": _export,
    "participant_page": lambda places: (places.race_pk, places.participant_pk),
    "share_links": _race,
    "share_page": lambda places: (places.share_token,),
    "operations": _nothing,
    "operations_keys": _nothing,
    "operations_day": _nothing,
    "weekend": _nothing,
    "runs": _nothing,
    "cycles": _nothing,
    "search": _nothing,
    "partner_page": _partner,
    "partner_ahead": _partner,
    "partner_races": _partner,
    "partner_access": _partner,
    "partner_races_choose": _partner,
    "partner_leave": _partner,
    "key_rotate": lambda places: (places.partner_slug, _key_of(places)),
    "login": _nothing,
    "password_reset": _nothing,
    "password_reset_done": _nothing,
    # A link that was used already.
    "password_reset_confirm": lambda _places: ("Mw", "used-0123456789"),
    "password_reset_complete": _nothing,
    "second_factor": _nothing,
}
# Parts of a page that ask again by themselves; `live_base.html` includes the same templates.
POLLED = {
    "race_list_live",
    "race_live",
    "event_live",
    "share_live",
    "operations_live",
    "partner_live",
    "export_changes_count",
}
# Shown in the middle of something only, and looked at by its own tests (test_second_factor.py).
STEPS = {"login_code"}
FILES = {"runs_csv", "export_changes_csv", "export_download", "favicon"}
POSTED = {
    "sync_now",
    "event_sync_now",
    "start_list_export",
    "share_link_revoke",
    "invitation_again",
    "access_take",
    "second_factor_begin",
    "second_factor_confirm",
    "recovery_codes",
    "second_factor_off",
    "logout",
}

PASSWORD = {"password_reset", "password_reset_done", "password_reset_confirm", "password_reset_complete"}
WITHOUT_LOGIN = {"login", "share_page"} | PASSWORD
# Ask by themselves for what is new, and without JavaScript load again.
LIVE = {"race_list", "race_page", "event_page", "share_page", "operations", "partner_page"}


def url_names() -> list[str]:
    """Of the site, without the admin's."""
    return [str(pattern.name) for pattern in urlpatterns if isinstance(pattern, URLPattern)]


def page_urls(places: Places) -> dict[str, str]:
    urls = {name: reverse(name, args=args(places)) for name, args in PAGES.items()}
    return urls | {"search": f"{urls['search']}?q={places.search}"}


def admin_urls() -> dict[str, str]:
    """The admin's pages as a superuser sees them, a list and a row of every table. Asserts that each has a row."""
    urls = {name: reverse(f"admin:{name}") for name in ("index", "password_change")}
    for model, model_admin in admin.site._registry.items():
        options = model._meta
        table = f"admin:{options.app_label}_{options.model_name}"
        urls |= {
            f"{options.label} {kind}": reverse(f"{table}_{kind}", args=args)
            for kind, args in _kinds(model, model_admin)
        }
    return urls


def _kinds(model: type[Model], model_admin: admin.ModelAdmin) -> Iterator[tuple[str, list[object]]]:
    row = model._default_manager.order_by("-pk").first()
    assert row is not None, f"{model.__name__} has no row: give it one, or its page is not looked at"
    yield "changelist", []
    yield "change", [row.pk]
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    request.user.has_perm = lambda *_args: True  # type: ignore[method-assign]
    if model_admin.has_add_permission(request):
        yield "add", []
