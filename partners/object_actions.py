"""Admin actions that are also buttons on the page of one object, and links to the object's page of the site."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from partners.audit import Action, actor_of, audit_note_all
from partners.rights import may_operate

# A message names so many and counts the rest.
MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    label: str
    url: str


class ObjectActionsAdmin(admin.ModelAdmin):
    """`object_actions`: names of actions and what their buttons say. A button runs the very same action, with one row.

    The actions ask for the permission "run": the right to operate, also where nothing can be edited.
    """

    object_actions: ClassVar[dict[str, str]] = {}

    def has_run_permission(self, request: HttpRequest) -> bool:
        return may_operate(request.user)

    def is_offered(self, action: str, obj: Any) -> bool:
        """Whether the button makes sense for this object: nobody resumes what runs."""
        return True

    def get_urls(self) -> list[URLPattern]:
        run = self.admin_site.admin_view(self.object_action)
        name = f"{self.opts.app_label}_{self.opts.model_name}_action"
        return [path("<int:object_id>/action/<slug:action>/", run, name=name), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "object_buttons": self._buttons(request, object_id)}
        return super().change_view(request, object_id, form_url, context)

    def _buttons(self, request: HttpRequest, object_id: str) -> list[Button]:
        allowed = [name for name in self.object_actions if name in self.get_actions(request)]
        obj = self.get_object(request, object_id) if allowed else None
        if obj is None:
            return []
        url = f"admin:{self.opts.app_label}_{self.opts.model_name}_action"
        return [
            Button(label=self.object_actions[name], url=reverse(url, args=[obj.pk, name]))
            for name in allowed
            if self.is_offered(name, obj)
        ]

    def object_action(self, request: HttpRequest, object_id: int, action: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if action not in self.object_actions:
            raise Http404
        found = self.get_actions(request).get(action)
        if found is None:
            raise PermissionDenied
        rows = self.get_queryset(request).filter(pk=object_id)
        if not rows.exists():
            raise Http404
        run: Callable[..., object] = found[0]
        run(self, request, rows)
        return HttpResponseRedirect(
            reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[object_id])
        )

    def note_all(
        self, request: HttpRequest, rows: Sequence[Model], action: Action, text: str, *, now: datetime
    ) -> None:
        """One line in the audit and one in the history of each, inside the transaction of what they are about."""
        audit_note_all(action=action, by=actor_of(request), targets=rows, now=now)
        self.log_all(request, rows, text)

    def log_all(self, request: HttpRequest, rows: Iterable[Model], text: str) -> None:
        """One line in the history of each, written with one statement."""
        changed = list(rows)
        if changed:
            LogEntry.objects.log_actions(
                user_id=request.user.pk,  # type: ignore[arg-type]
                queryset=changed,  # type: ignore[arg-type]
                action_flag=CHANGE,
                change_message=text,
            )

    @admin.display(description="page")
    def site_page(self, obj: Any) -> SafeString:
        url = self.get_view_on_site_url(obj)
        return format_html('<a href="{}">Page<span class="visually-hidden"> of {}</span></a>', url, obj)


def switch_text(changed: Sequence[Model], *, on: bool, what_then: str) -> str:
    """What was paused or resumed, by name when they are few, and what happens then."""
    done = "Resumed" if on else "Paused"
    if not changed:
        return f"Nothing is {done.lower()} by this: it was so already."
    named = ", ".join(str(row) for row in changed[:MOST_NAMED])
    more = len(changed) - MOST_NAMED
    return f"{done}: {named}{f' and {more} more' if more > 0 else ''}. {what_then}"
