"""Held removals in the admin: who is missing from RunSignUp's list, and whether they have left. Here and not in
`races`: a decision changes the state of the event's sync."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from partners.audit import Action, actor_of, audit_note
from partners.gate import database_now
from partners.view_only_admin import PartnerFilter, ViewOnlyAdmin
from races.held_removals import CannotDecide, fingerprint, people_of
from races.models import HeldRemoval, Participant
from sync.models import SyncRun
from sync.services.held_removals import held_removal_decide

Decision = HeldRemoval.Decision
NOTED = {Decision.CONFIRMED: Action.REMOVAL_CONFIRMED, Decision.DISCARDED: Action.REMOVAL_DISCARDED}
# What the address of a decision says, and what it does.
DECISIONS: dict[str, HeldRemoval.Decision] = {"confirm": Decision.CONFIRMED, "discard": Decision.DISCARDED}
# Enough to see who they are; all of them are in the list of participants.
MOST_PEOPLE = 500


class EventPartnerFilter(PartnerFilter):
    path = "event__race__partner"


class OpenFilter(admin.SimpleListFilter):
    title = "decision"
    parameter_name = "decided"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Waits for a decision"), *((value, label.capitalize()) for value, label in Decision.choices)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[HeldRemoval]) -> QuerySet[HeldRemoval]:
        if self.value() == "no":
            return queryset.filter(decided_at=None)
        return queryset.filter(decision=self.value()) if self.value() else queryset


@admin.register(HeldRemoval)
class HeldRemovalAdmin(ViewOnlyAdmin):
    list_display = ["event", "race", "missing", "found_at", "state", "decided_by", "decided_at"]
    list_filter = [OpenFilter, EventPartnerFilter]
    search_fields = ["event__name", "event__race__name"]
    search_help_text = "RunSignUp's id of the event or race, or a part of the name."
    id_search = ("event__provider_event_id", "event__race__provider_race_id")
    # Those that wait for somebody first.
    ordering = ["-decided_at", "-found_at"]
    fields = ("event", "race", "missing", "found_at", "run", "state", "decided_by", "decided_at", "people")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[HeldRemoval]:
        queryset = super().get_queryset(request).select_related("event__race", "decided_by")
        return queryset.defer("event__raw", "event__race__raw")

    def view_on_site(self, obj: HeldRemoval) -> str:
        return reverse("event_page", args=[obj.event.race_id, obj.event_id])

    def get_urls(self) -> list[URLPattern]:
        decide = self.admin_site.admin_view(self.decide)
        ours = [
            path(f"<int:held_id>/{word}/", decide, {"word": word}, name=f"races_heldremoval_{word}")
            for word in DECISIONS
        ]
        return [*ours, *super().get_urls()]

    def may_decide(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = (extra_context or {}) | {"may_decide": self.may_decide(request)}
        return super().change_view(request, object_id, form_url, context)

    def decide(self, request: HttpRequest, held_id: int, word: str) -> HttpResponse:
        """GET asks once more, with everybody whom it is about; POST does it."""
        if not self.may_decide(request):
            raise PermissionDenied
        held = self.get_queryset(request).filter(pk=held_id).first()
        if held is None:
            raise Http404
        back = HttpResponseRedirect(reverse("admin:races_heldremoval_change", args=[held.pk]))
        if held.decided_at is not None:
            self.message_user(request, f"This was decided already: {held.get_decision_display()}.", messages.WARNING)
            return back
        if request.method != "POST":
            return self._ask(request, held, word)
        try:
            done = self._decided(request, held, DECISIONS[word])
        except CannotDecide as problem:
            self.message_user(request, str(problem), messages.ERROR)
        else:
            self.message_user(request, done)
        return back

    def _decided(self, request: HttpRequest, held: HeldRemoval, decision: HeldRemoval.Decision) -> str:
        """What was done. Raises CannotDecide."""
        now = database_now()
        with transaction.atomic():
            people = held_removal_decide(
                held_id=held.pk,
                decision=decision,
                user=request.user,  # type: ignore[arg-type]
                shown=request.POST.get("shown", ""),
                now=now,
            )
            done = _done_text(held, decision, people)
            self.log_change(request, held, done)
            detail = {"people": people, "held_removal": held.pk}
            audit_note(action=NOTED[decision], by=actor_of(request), target=held.event, detail=detail, now=now)
        return done

    def _ask(self, request: HttpRequest, held: HeldRemoval, word: str) -> HttpResponse:
        people = list(_named(people_of(held)))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Have they left?" if word == "confirm" else "Keep them?",
            "held": held,
            "word": word,
            "shown": fingerprint(held),
            "people": people[:MOST_PEOPLE],
            "count": len(people),
            "left": max(0, len(people) - MOST_PEOPLE),
        }
        return TemplateResponse(request, "admin/races/heldremoval/decide.html", context)

    @admin.display(description="race")
    def race(self, held: HeldRemoval) -> str:
        return held.event.race.name

    @admin.display(description="missing")
    def missing(self, held: HeldRemoval) -> str:
        return f"{len(held.registration_ids):,} of {held.listed_before:,}"

    @admin.display(description="state")
    def state(self, held: HeldRemoval) -> str:
        return held.get_decision_display().capitalize() if held.decision else "Waits for a decision"

    @admin.display(description="found by")
    def run(self, held: HeldRemoval) -> str | SafeString:
        if held.sync_run_id is None or not SyncRun.objects.filter(pk=held.sync_run_id).exists():
            return "a run that is not kept any more"
        return format_html('<a href="{}">Sync run</a>', reverse("admin:sync_syncrun_change", args=[held.sync_run_id]))

    @admin.display(description="who")
    def people(self, held: HeldRemoval) -> str:
        """Also who has left since: the record says whom the question was about."""
        everybody = Participant.objects.filter(event_id=held.event_id, registration_id__in=held.registration_ids)
        named = _named(everybody.order_by("last_name", "first_name", "registration_id"))
        shown = "\n".join(named[:MOST_PEOPLE])
        more = len(held.registration_ids) - MOST_PEOPLE
        return f"{shown}\n… and {more:,} more" if more > 0 else shown


def _named(people: QuerySet[Participant]) -> list[str]:
    """ "1207 · Zoë O'Malley", without the bib for who has none."""
    rows = people.only("bib", "first_name", "last_name", "registration_id", "removed_at")
    return [" · ".join(part for part in (row.bib, str(row)) if part) for row in rows]


def _done_text(held: HeldRemoval, decision: HeldRemoval.Decision, people: int) -> str:
    who = "1 person" if people == 1 else f"{people:,} people"
    if decision == Decision.CONFIRMED:
        return f"Confirmed: {who} of {held.event} left and {'is' if people == 1 else 'are'} removed from the list."
    return f"Discarded: {who} of {held.event} stay in the list, and nobody is asked about them again while it is so."
