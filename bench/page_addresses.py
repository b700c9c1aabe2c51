"""Every page of the product with an address of it: what is measured, and what the tests hold to its number of queries.

`addresses` is checked against the table of URLs: a page that is added there and not here is said so by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from django.contrib import admin
from django.urls import URLPattern, get_resolver, reverse
from django.utils.http import urlencode

from partners.models import Credential
from sync.models import Policy

# Not measured: they change something and lead to a page that is, or they are no page of ours.
NO_PAGES = {
    "sync_now": "POST",
    "event_sync_now": "POST",
    "start_list_export": "POST",
    "share_link_revoke": "POST",
    "login": "leads who is logged in to the list of races",
    "logout": "POST",
    "invitation_again": "POST",
    "access_take": "POST",
    "password_reset": "a form and nothing else",
    "password_reset_done": "a sentence",
    "password_reset_confirm": "leads to a form and nothing else",
    "password_reset_complete": "a sentence",
    "login_code": "a form and nothing else",
    "second_factor": "a form and nothing else",
    "second_factor_begin": "POST",
    "second_factor_confirm": "POST",
    "recovery_codes": "POST",
    "second_factor_off": "POST",
    "favicon": "leads to a static file",
}


class Kind(Enum):
    """PART: what a page asks for once, when the reader gets there. FRAGMENT: again and again. DOWNLOAD: a file, as
    large as what it is about."""

    PAGE = "page"
    PART = "part"
    FRAGMENT = "fragment"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the addresses are about. `cycle_pk`: a cycle with runs; `former_bib`: one that people of the event had;
    `long_ago`: a day, as 2026-06-06."""

    race_pk: int
    provider_race_id: int
    event_pk: int
    finished_race_pk: int
    finished_event_pk: int
    participant_pk: int
    export_pk: int
    share_token: str
    partner_slug: str
    cycle_pk: int
    run_pk: int
    last_name: str
    former_bib: str
    registration_id: int
    long_ago: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`name`: that of the table of URLs, "admin:…" of an admin list. `variant`: what is special about this one."""

    name: str
    url: str
    kind: Kind = Kind.PAGE
    variant: str = ""
    is_staff_only: bool = False

    @property
    def label(self) -> str:
        return f"{self.name}, {self.variant}" if self.variant else self.name


def addresses(world: World) -> tuple[Address, ...]:
    found = (*_race_pages(world), *_event_pages(world), *_searches(world), *_staff_pages(world), *_admin_lists())
    shown, named = {address.name for address in found}, page_names()
    if missing := named - shown - set(NO_PAGES):
        raise LookupError(f"bench.page_addresses has no address of: {', '.join(sorted(missing))}")
    return found


def page_names() -> set[str]:
    """All that the project's own table of URLs names."""
    return {part.name for part in get_resolver().url_patterns if isinstance(part, URLPattern) and part.name}


def _race_pages(world: World) -> Iterator[Address]:
    yield Address(name="race_list", url=reverse("race_list"))
    yield _query("race_list", {"page": "2"}, "page 2")
    yield _query("race_list", {"page": "9999"}, "last page")
    yield _query("race_list", {"q": "harbor"}, "search")
    yield Address(name="race_list_live", url=reverse("race_list_live"), kind=Kind.FRAGMENT)
    race, export = [world.race_pk], [world.race_pk, world.export_pk]
    yield Address(name="race_page", url=reverse("race_page", args=race))
    yield Address(name="race_page", url=reverse("race_page", args=[world.finished_race_pk]), variant="another race")
    for name in ("race_live", "race_checks", "race_doubts"):
        yield Address(name=name, url=reverse(name, args=race), kind=Kind.FRAGMENT)
    yield Address(name="participant_page", url=reverse("participant_page", args=[*race, world.participant_pk]))
    yield Address(name="export_changes", url=reverse("export_changes", args=export))
    yield Address(name="export_changes_count", url=reverse("export_changes_count", args=export), kind=Kind.PART)
    for name in ("export_changes_csv", "export_download"):
        yield Address(name=name, url=reverse(name, args=export), kind=Kind.DOWNLOAD)
    yield Address(name="share_links", url=reverse("share_links", args=race))
    yield Address(name="share_page", url=reverse("share_page", args=[world.share_token]))
    yield Address(name="share_live", url=reverse("share_live", args=[world.share_token]), kind=Kind.FRAGMENT)


def _event_pages(world: World) -> Iterator[Address]:
    event = [world.race_pk, world.event_pk]
    finished = [world.finished_race_pk, world.finished_event_pk]
    page = reverse("event_page", args=event)
    yield Address(name="event_page", url=page)
    yield Address(name="event_page", url=reverse("event_page", args=finished), variant="finished")
    for variant, query in {
        "last page of people": {"page": "9999"},
        "search by name": {"q": world.last_name},
        "search by a bib with former holders": {"q": world.former_bib},
        "last page of runs": {"runs": "9999"},
        "page of an old run": {"run": str(world.run_pk)},
        "runs that failed": {"outcome": "failed"},
        "runs by outcome and trigger": {"outcome": "ok", "trigger": "manual"},
    }.items():
        yield Address(name="event_page", url=f"{page}?{urlencode(query)}", variant=variant)
    yield Address(name="event_runs", url=reverse("event_runs", args=event), kind=Kind.PART)
    for name in ("event_live", "event_day_live", "event_why", "event_doubts"):
        yield Address(name=name, url=reverse(name, args=event), kind=Kind.FRAGMENT)
    yield Address(
        name="event_day_live", url=reverse("event_day_live", args=finished), kind=Kind.FRAGMENT, variant="finished"
    )
    yield Address(name="event_receipt", url=reverse("event_receipt", args=event))
    yield Address(name="event_receipt", url=reverse("event_receipt", args=finished), variant="finished")
    changes = reverse("event_changes", args=event)
    yield Address(name="event_changes", url=changes)
    yield Address(name="event_changes", url=f"{changes}?page=9999", variant="last page")


def _searches(world: World) -> Iterator[Address]:
    yield Address(name="search", url=reverse("search"), variant="nothing yet")
    for variant, words in {
        "name": world.last_name,
        "rare name": "zzz nobody",
        "bib": world.former_bib,
        "registration": str(world.registration_id),
        "race": "harbor",
    }.items():
        yield _query("search", {"q": words}, variant)


def _staff_pages(world: World) -> Iterator[Address]:
    yield _staff("operations")
    for name in ("operations_live", "operations_keys", "operations_day"):
        yield Address(name=name, url=reverse(name), kind=Kind.FRAGMENT, is_staff_only=True)
    yield _staff("weekend")
    yield _staff("cycles")
    yield _staff("cycles", {"to": world.long_ago}, "until a day long ago")
    for name, kind in {
        "partner_page": Kind.PAGE,
        "partner_live": Kind.FRAGMENT,
        "partner_ahead": Kind.FRAGMENT,
        "partner_races": Kind.FRAGMENT,
    }.items():
        yield Address(name=name, url=reverse(name, args=[world.partner_slug]), kind=kind, is_staff_only=True)
    for name in ("partner_access", "partner_races_choose", "partner_leave"):
        yield Address(name=name, url=reverse(name, args=[world.partner_slug]), is_staff_only=True)
    key_pk = Credential.objects.filter(partner__slug=world.partner_slug).values_list("pk", flat=True)[0]
    yield Address(name="key_rotate", url=reverse("key_rotate", args=[world.partner_slug, key_pk]), is_staff_only=True)
    yield _staff("runs")
    for variant, query in {
        "partner": {"partner": world.partner_slug},
        "partner, outcome": {"partner": world.partner_slug, "outcome": "ok"},
        "partner, problems": {"partner": world.partner_slug, "outcome": "problem"},
        "race": {"race": str(world.provider_race_id)},
        "race, outcome": {"race": str(world.provider_race_id), "outcome": "ok"},
        "race, no such runs": {"race": str(world.provider_race_id), "outcome": "gone"},
        "cycle": {"cycle": str(world.cycle_pk)},
        "problems": {"outcome": "problem"},
        "failed": {"outcome": "failed"},
        "lost": {"outcome": "lost"},
        "gone": {"outcome": "gone"},
        "ok": {"outcome": "ok"},
        "running": {"outcome": "running"},
        "manual": {"trigger": "manual"},
        "discovery": {"trigger": "discovery"},
        "manual and failed": {"trigger": "manual", "outcome": "failed"},
        "tier HIGH": {"tier": "HIGH"},
        "tier HIGH, partner": {"tier": "HIGH", "partner": world.partner_slug},
        "until a day long ago": {"to": world.long_ago},
        "from a day on, partner, outcome": {"from": world.long_ago, "partner": world.partner_slug, "outcome": "lost"},
    }.items():
        yield _staff("runs", query, variant)
    yield Address(
        name="runs_csv",
        url=f"{reverse('runs_csv')}?{urlencode({'race': world.provider_race_id})}",
        kind=Kind.DOWNLOAD,
        is_staff_only=True,
    )


def _admin_lists() -> Iterator[Address]:
    yield Address(name="admin:index", url=reverse("admin:index"), is_staff_only=True)
    for model in admin.site._registry:
        if model is Policy:
            # Its list leads to its only row.
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        yield Address(name=name, url=reverse(name), is_staff_only=True)


def _query(name: str, query: dict[str, str], variant: str) -> Address:
    return Address(name=name, url=f"{reverse(name)}?{urlencode(query)}", variant=variant)


def _staff(name: str, query: dict[str, str] | None = None, variant: str = "") -> Address:
    url = f"{reverse(name)}?{urlencode(query)}" if query else reverse(name)
    return Address(name=name, url=url, variant=variant, is_staff_only=True)
