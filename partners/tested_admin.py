"""What the admins of partners and keys share: their forms ask the provider, and "Test key" does without saving."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect

from partners.credential_problems import CredentialProblem
from partners.documents import CredentialReport
from partners.forms import KeyTestForm
from partners.gate import database_now
from partners.key_test import key_test
from partners.object_actions import ObjectActionsAdmin
from partners.onboarding import credential_try
from partners.secret import Secret

TEST = "_test"


class TestedAdmin(ObjectActionsAdmin):
    """An admin whose forms ask the provider. No call may be made inside a transaction, so the forms run outside of one;
    the services that store open their own."""

    @method_decorator(csrf_protect)
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if object_id is None and request.method == "POST" and TEST in request.POST:
            return self._test_key(request, form_url, extra_context)
        try:
            # What Django's changeform_view wraps in a transaction.
            return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]
        except CredentialProblem as problem:
            # Somebody stored the same key while the form was being checked.
            self.message_user(request, problem.text, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def _test_key(self, request: HttpRequest, form_url: str, extra_context: dict[str, Any] | None) -> HttpResponse:
        """The answer above a form as it was filled in, but for the secret, which no page sends back.

        With JavaScript the browser takes only the answer out of this page, and what was typed stays where it is.
        """
        if not self.has_add_permission(request):
            raise PermissionDenied
        context = {**(extra_context or {}), "key_test": key_test(lambda: _report(request))}
        # What was entered is shown as what a new form begins with: an empty name is no error of a test.
        request.method = "GET"
        return self._changeform_view(request, None, form_url, context)  # type: ignore[attr-defined]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        if TEST not in request.POST:
            return super().get_changeform_initial_data(request)
        return {name: value for name, value in request.POST.items() if name != "secret"}

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        obj = self.get_object(request, object_id) if self.has_delete_permission(request) else None
        if obj is not None and (reason := self.why_kept(obj)):
            self.message_user(request, reason, messages.WARNING)
            return HttpResponseRedirect(
                reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[obj.pk])
            )
        return super().delete_view(request, object_id, extra_context)

    def has_run_permission(self, request: HttpRequest) -> bool:
        """For actions: pausing is the right of who operates, and of who may edit the row."""
        return super().has_run_permission(request) or self.has_change_permission(request)

    def why_kept(self, obj: Any) -> str:
        """Why this row cannot be deleted and what to do instead, "" when it can."""
        raise NotImplementedError


def _report(request: HttpRequest) -> CredentialReport:
    form = KeyTestForm(request.POST)
    if not form.is_valid():
        raise CredentialProblem("Enter the API key, its secret and its style first.", verdict="Nothing to test")
    entered = form.cleaned_data
    return credential_try(
        api_key=entered["api_key"],
        api_secret=Secret(entered["secret"]),
        key_style=entered["key_style"],
        now=database_now(),
    )
