"""The policy in the admin: one row, checked as a whole, with old and new values in its history."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from partners.audit import Action, actor_of, audit_note
from partners.gate import database_now
from sync.core.policy import policy_problems
from sync.models import Policy
from sync.services.policies import ONLY, policy_of, policy_store


class PolicyForm(forms.ModelForm):
    class Meta:
        model = Policy
        fields = [field.name for field in Policy._meta.fields if not field.primary_key]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        # A field that is no number is said at that field; the rules need all of them.
        if len(cleaned) == len(self.fields):
            for problem in policy_problems(policy_of(Policy(**cleaned))):
                self.add_error(None, problem)
        return cleaned


@admin.register(Policy)
class PolicyAdmin(admin.ModelAdmin):
    form = PolicyForm
    fieldsets = (
        (
            "When each tier begins and ends",
            {"fields": ["high_lead_minutes", "medium_lead_minutes", "after_start_minutes"]},
        ),
        ("How often", {"fields": ["high_period_seconds", "medium_period_seconds", "low_period_seconds"]}),
        ("How many a cycle", {"fields": ["high_cap", "medium_cap", "low_cap", "cycle_seconds"]}),
        (
            "What stays free for the more urgent",
            {"fields": ["medium_needs_free", "low_needs_free", "background_needs_free"]},
        ),
    )

    def view_on_site(self, obj: Policy) -> str:
        return reverse("operations")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return redirect(reverse("admin:sync_policy_change", args=[ONLY]))

    def save_model(self, request: HttpRequest, obj: Policy, form: Any, change: bool) -> None:
        now = database_now()
        with transaction.atomic():
            policy_store(obj, now=now)
            if form.changed_data:
                changes = {name: [form.initial[name], form.cleaned_data[name]] for name in form.changed_data}
                audit_note(action=Action.POLICY_CHANGED, by=actor_of(request), target=obj, detail=changes, now=now)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        changes = [f"{name}: {form.initial[name]} → {form.cleaned_data[name]}" for name in form.changed_data]
        return "; ".join(changes) or "Nothing changed."
