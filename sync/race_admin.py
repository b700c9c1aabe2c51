"""Races and events in the admin. Here and not in `races`: what staff switch or ask for changes the schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from partners.audit import Action, actor_of, audit_note
from partners.gate import database_now
from partners.object_actions import ObjectActionsAdmin, switch_text
from partners.view_only_admin import PartnerFilter, ViewOnlyAdmin
from races.models import Event, Race
from sync.admin_words import asked_text, refused_texts
from sync.services.asking import Asked, events_ask_comparison, events_ask_sync, events_to_ask
from sync.services.editions import current_events
from sync.services.line import race_places
from sync.services.policies import policy_now
from sync.services.race_switch import races_switch

# Years of past editions of many races are no answer to a click; they are asked for by the event.
MOST_EVENTS = 500


class AskingAdmin(ObjectActionsAdmin, ViewOnlyAdmin):
    """Rows whose events can be asked for: `events_of` says which."""

    def events_of(self, rows: Sequence[Any]) -> QuerySet[Event]:
        raise NotImplementedError

    @admin.action(description="Sync now", permissions=["run"])
    def sync_now(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._ask(request, list(queryset), compare=False)

    @admin.action(description="Reconcile: compare the whole lists", permissions=["run"])
    def reconcile(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._ask(request, list(queryset), compare=True)

    def _ask(self, request: HttpRequest, rows: list[Any], *, compare: bool) -> None:
        now, policy = database_now(), policy_now()
        events = list(events_to_ask(self.events_of(rows))[: MOST_EVENTS + 1])
        if len(events) > MOST_EVENTS:
            self.message_user(request, f"These have more than {MOST_EVENTS} events: choose fewer.", messages.WARNING)
            return
        ask = events_ask_comparison if compare else events_ask_sync
        what, action = ("full comparison", Action.COMPARISON_ASKED) if compare else ("sync", Action.SYNC_ASKED)
        with transaction.atomic():
            asked = ask(events=events, now=now)
            self.note_all(request, self._served(rows, asked), action, f"Asked for a {what}.", now=now)
        keys = {event.race.credential_id: event.race.credential for event in asked.waiting}
        places = race_places(keys.values(), now=now, policy=policy) if keys else {}
        level = messages.SUCCESS if asked.waiting else messages.INFO
        if text := asked_text(asked, places=places, what=what):
            self.message_user(request, text, level)
        for reason in refused_texts(events, asked):
            self.message_user(request, reason, messages.WARNING)
        if not events:
            self.message_user(request, "There are no events to ask for yet: run a discovery.", messages.WARNING)

    def _served(self, rows: Sequence[Any], asked: Asked) -> list[Any]:
        """Of events, those that were asked about: they come with their race."""
        if self.model is not Race:
            return list(asked.waiting)
        races = {event.race_id for event in asked.waiting}
        return [row for row in rows if row.pk in races]


def _switched(*, on: bool) -> Action:
    return Action.RACE_RESUMED if on else Action.RACE_PAUSED


@admin.register(Race)
class RaceAdmin(AskingAdmin):
    list_display = ["name", "partner", "next_date", "city", "state", "sync_enabled", "gone_at", "events", "site_page"]
    list_filter = [PartnerFilter, "sync_enabled", ("gone_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "partner__name", "partner__slug"]
    search_help_text = "RunSignUp's id of the race, or a part of its name or of the partner's."
    id_search = ("provider_race_id",)
    ordering = ["name", "pk"]
    actions = ["sync_now", "pause_races", "resume_races", "reconcile"]
    object_actions = {
        "sync_now": "Sync now",
        "pause_races": "Pause",
        "resume_races": "Resume",
        "reconcile": "Reconcile",
    }

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["events", *(field.name for field in Race._meta.fields if field.name not in {"id", "sync_enabled"})]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["sync_enabled", *self.get_readonly_fields(request, obj)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Race]:
        # Of the key only its name is shown: no secret is decrypted for that.
        queryset = super().get_queryset(request).select_related("partner", "credential__partner")
        return queryset.defer("credential__api_secret", *(["raw"] if self.is_list(request) else []))

    def save_model(self, request: HttpRequest, obj: Race, form: Any, change: bool) -> None:
        now = database_now()
        if races_switch(race_ids=[obj.pk], on=obj.sync_enabled, now=now):
            action = _switched(on=obj.sync_enabled)
            audit_note(action=action, by=actor_of(request), target=obj, now=now)

    def view_on_site(self, obj: Race) -> str:
        return reverse("race_page", args=[obj.pk])

    def is_offered(self, action: str, obj: Race) -> bool:
        if action in {"pause_races", "resume_races"}:
            return obj.sync_enabled == (action == "pause_races")
        return obj.sync_enabled and obj.gone_at is None

    def events_of(self, rows: Sequence[Race]) -> QuerySet[Event]:
        """Those of the current edition, as on the race's page."""
        return current_events([race.pk for race in rows], now=database_now())

    # The switch is all that can be changed of a race: who may turn it on its page may by these, too.
    @admin.action(description="Pause: nothing of these races is synced", permissions=["change"])
    def pause_races(self, request: HttpRequest, queryset: QuerySet[Race]) -> None:
        self._switch(request, queryset, on=False)

    @admin.action(description="Resume selected races", permissions=["change"])
    def resume_races(self, request: HttpRequest, queryset: QuerySet[Race]) -> None:
        self._switch(request, queryset, on=True)

    def _switch(self, request: HttpRequest, queryset: QuerySet[Race], *, on: bool) -> None:
        races, now = list(queryset), database_now()
        with transaction.atomic():
            switched = races_switch(race_ids=[race.pk for race in races], on=on, now=now)
            changed = [race for race in races if race.pk in switched]
            self.note_all(request, changed, _switched(on=on), "Resumed." if on else "Paused.", now=now)
        off = "Their events left the schedule at once; a visit that has begun still ends."
        then = "Their events are due at once: the next cycle, within 10 s, plans them." if on else off
        self.message_user(request, switch_text(changed, on=on, what_then=then))

    @admin.display(description="events")
    def events(self, race: Race) -> SafeString:
        return format_html(
            '<a href="{}?race__id__exact={}">Events</a>', reverse("admin:races_event_changelist"), race.pk
        )


class EventPartnerFilter(PartnerFilter):
    path = "race__partner"


@admin.register(Event)
class EventAdmin(AskingAdmin):
    list_display = [
        "name", "race", "starts_at", "start_is_placeholder", "distance", "gone_at", "participants", "site_page",
    ]  # fmt: skip
    list_filter = [EventPartnerFilter, "start_is_placeholder", ("gone_at", admin.EmptyFieldListFilter)]
    list_select_related = ["race"]
    search_fields = ["name", "race__name"]
    search_help_text = "RunSignUp's id of the event or race, or a part of the name."
    id_search = ("provider_event_id", "race__provider_race_id")
    ordering = ["-pk"]
    readonly_fields = ["participants"]
    actions = ["sync_now", "reconcile"]
    object_actions = {"sync_now": "Sync now", "reconcile": "Reconcile"}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        queryset = super().get_queryset(request).defer("race__raw")
        return queryset.defer("raw", "race__raw") if self.is_list(request) else queryset

    def view_on_site(self, obj: Event) -> str:
        return reverse("event_page", args=[obj.race_id, obj.pk])

    def is_offered(self, action: str, obj: Event) -> bool:
        return obj.gone_at is None

    def events_of(self, rows: Sequence[Event]) -> QuerySet[Event]:
        return Event.objects.filter(pk__in=[event.pk for event in rows])

    @admin.display(description="participants")
    def participants(self, event: Event) -> SafeString:
        url = reverse("admin:races_participant_changelist")
        return format_html('<a href="{}?event__id__exact={}">Participants</a>', url, event.pk)
