"""The admin of partners and their keys. A key is tested before it is stored; a secret goes in and never comes out."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_q.tasks import async_task

from partners import audit_admin, user_admin  # noqa: F401 - each registers its own
from partners.access_admin import AccessAdmin
from partners.audit import Action, actor_of, audit_note
from partners.credential_problems import CredentialProblem
from partners.forms import NewKeyForm, OnboardingForm, PartnerForm, StoredKeyForm
from partners.gate import database_now
from partners.models import Credential, PartnerMembership, TimingPartner
from partners.object_actions import switch_text
from partners.onboarding import (
    DISCOVERY_QUEUE,
    DISCOVERY_TASK,
    credential_verify,
    onboarded_detail,
    secret_store,
    status_detail,
    tested_key_store,
)
from partners.switches import keys_pause, keys_resume, partners_switch
from partners.tested_admin import TestedAdmin

# Each takes a second or two while somebody waits for the page.
MOST_VERIFIED = 10
NEXT_CYCLE = "from the next cycle on, within 10 s"
NO_MORE_CALLS = "What a lane has begun ends within a minute; what is due waits until it is resumed."
# As in RunSignUp and in every form here; from the model's field Django makes "Api key".
KEY_LABEL = "API key"


class KeysOfPartner(admin.TabularInline):
    model = Credential
    fields = ["label", "key", "key_style", "status", "status_detail", "verified_at", "discovered_at"]
    readonly_fields = ["key"]
    show_change_link = True
    extra = 0
    verbose_name_plural = "API keys"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Credential]:
        # A list decrypts no secret, so it also opens under wrong CREDENTIAL_KEYS.
        return super().get_queryset(request).defer("api_secret")

    @admin.display(description=KEY_LABEL)
    def key(self, credential: Credential) -> str:
        return credential.api_key

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(TimingPartner)
class TimingPartnerAdmin(TestedAdmin):
    list_display = ["name", "slug", "timezone", "is_active", "keys", "races", "site_page"]
    list_filter = ["is_active"]
    search_fields = ["name", "slug", "contact_email"]
    # The counts group the rows, and grouped rows lose the model's order: a page of them would be any.
    ordering = ["name"]
    readonly_fields = ["slug"]
    actions = ["pause_partners", "resume_partners"]
    object_actions = {"pause_partners": "Pause", "resume_partners": "Resume"}

    def view_on_site(self, obj: TimingPartner) -> str:
        return reverse("partner_page", args=[obj.slug])

    def is_offered(self, action: str, obj: TimingPartner) -> bool:
        return obj.is_active == (action == "pause_partners")

    @admin.action(description="Pause selected partners: nothing of them is synced", permissions=["run"])
    def pause_partners(self, request: HttpRequest, queryset: QuerySet[TimingPartner]) -> None:
        self._switch(request, queryset, on=False)

    @admin.action(description="Resume selected partners", permissions=["run"])
    def resume_partners(self, request: HttpRequest, queryset: QuerySet[TimingPartner]) -> None:
        self._switch(request, queryset, on=True)

    def _switch(self, request: HttpRequest, queryset: QuerySet[TimingPartner], *, on: bool) -> None:
        partners = list(queryset)
        action = Action.PARTNER_RESUMED if on else Action.PARTNER_PAUSED
        with transaction.atomic():
            switched = partners_switch(partner_ids=[partner.pk for partner in partners], on=on)
            changed = [partner for partner in partners if partner.pk in switched]
            self.note_all(request, changed, action, "Resumed." if on else "Paused.", now=database_now())
        what_then = f"What is due is synced {NEXT_CYCLE}." if on else NO_MORE_CALLS
        erased = [str(partner) for partner in partners if partner.erase_asked_at]
        if on and erased:
            self.message_user(request, f"Being erased, so not resumed: {', '.join(erased)}.", messages.WARNING)
        self.message_user(request, switch_text(changed, on=on, what_then=what_then))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        # One way to save: it leads to the partner's page.
        one_button = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**(extra_context or {}), **one_button})

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **(kwargs | {"form": PartnerForm if obj else OnboardingForm}))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return [(None, {"fields": ["name", "slug", "contact_email", "alert_email", "timezone", "is_active"]})]
        about = "The key is tested when you save. Nothing is stored unless RunSignUp accepts it."
        return [
            (None, {"fields": ["name", "contact_email", "alert_email", "timezone"]}),
            ("RunSignUp", {"fields": ["api_key", "secret", "key_style"], "description": about}),
        ]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [KeysOfPartner] if obj else []

    def get_queryset(self, request: HttpRequest) -> QuerySet[TimingPartner]:
        counts = {"key_count": Count("credentials", distinct=True), "race_count": Count("races", distinct=True)}
        return super().get_queryset(request).annotate(**counts)

    @admin.display(description="keys")
    def keys(self, obj: Any) -> int:
        return obj.key_count

    @admin.display(description="races")
    def races(self, obj: Any) -> int:
        return obj.race_count

    def save_model(self, request: HttpRequest, obj: TimingPartner, form: Any, change: bool) -> None:
        now, by = database_now(), actor_of(request)
        with transaction.atomic():
            if change:
                super().save_model(request, obj, form, change)
                self._note_changes(request, obj, form)
                return
            stored = tested_key_store(
                partner=obj, credential=form.credential, report=form.report, now=now, with_history=True
            )
            detail = onboarded_detail(stored)
            audit_note(action=Action.PARTNER_ONBOARDED, by=by, target=obj, detail=detail, now=now)
        self.message_user(request, f"{form.report.detail} Its races are looked for now, then its history is loaded.")

    def response_add(
        self, request: HttpRequest, obj: TimingPartner, post_url_continue: str | None = None
    ) -> HttpResponse:
        """To its page: the progress, the forecast, and what is still missing. Not with Django's own message."""
        if IS_POPUP_VAR in request.POST:
            return super().response_add(request, obj, post_url_continue)
        return HttpResponseRedirect(reverse("partner_page", args=[obj.slug]))

    def _note_changes(self, request: HttpRequest, obj: TimingPartner, form: Any) -> None:
        now, by, fields = database_now(), actor_of(request), list(form.changed_data)
        if "is_active" in fields:
            fields.remove("is_active")
            action = Action.PARTNER_RESUMED if obj.is_active else Action.PARTNER_PAUSED
            audit_note(action=action, by=by, target=obj, now=now)
        if fields:
            # Their names only: one of them is an address of a person.
            detail = {"fields": ", ".join(fields)}
            audit_note(action=Action.PARTNER_CHANGED, by=by, target=obj, detail=detail, now=now)

    def delete_model(self, request: HttpRequest, obj: TimingPartner) -> None:
        audit_note(action=Action.PARTNER_DELETED, by=actor_of(request), target=obj, now=database_now())
        super().delete_model(request, obj)

    def why_kept(self, obj: TimingPartner) -> str:
        if obj.races.exists():  # type: ignore[attr-defined]
            return (
                f"{obj} has races, whose history is kept: it is not deleted. Switch off “Is active” to stop its syncs."
            )
        if obj.credentials.exists():
            return f"{obj} has API keys: delete these first, or switch off “Is active”."
        if obj.memberships.exists():
            return f"{obj} has members: take their membership away first, or switch off “Is active”."
        return ""


@admin.register(Credential)
class CredentialAdmin(TestedAdmin):
    list_display = ["partner", "label", "key", "status", "status_detail", "verified_at", "discovered_at"]
    list_display_links = ["label"]
    list_filter = ["status"]
    list_select_related = ["partner"]
    search_fields = ["label", "api_key", "partner__name", "partner__slug"]
    autocomplete_fields = ["partner"]
    actions = ["verify_keys", "pause_keys", "resume_keys", "discover_keys"]
    object_actions = {"verify_keys": "Verify key", "pause_keys": "Pause", "resume_keys": "Resume"}

    def view_on_site(self, obj: Credential) -> str:
        return reverse("partner_page", args=[obj.partner.slug])

    def is_offered(self, action: str, obj: Credential) -> bool:
        if action == "pause_keys":
            return obj.status in {Credential.Status.OK, Credential.Status.UNVERIFIED}
        return action != "resume_keys" or obj.status == Credential.Status.PAUSED

    def get_queryset(self, request: HttpRequest) -> QuerySet[Credential]:
        return super().get_queryset(request).defer("api_secret")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **(kwargs | {"form": StoredKeyForm if obj else NewKeyForm}))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            about = "The key is tested when you save. Nothing is stored unless RunSignUp accepts it."
            fields = ["partner", "label", "api_key", "secret", "key_style", "hourly_limit"]
            return [(None, {"fields": fields, "description": about})]
        # Somebody who may only look sees no secret's input either.
        secret = ["secret"] if self.has_change_permission(request, obj) else []
        about = "A new pair of key and secret is added as a further key: the next discovery moves the races over."
        return [
            (None, {"fields": ["partner", "label", "hourly_limit"]}),
            ("RunSignUp", {"fields": ["key", *secret, "key_style"], "description": about}),
            ("State", {"fields": ["status", "status_detail", "verified_at", "refused_at", "discovered_at"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        state = ["status", "status_detail", "verified_at", "refused_at", "discovered_at"]
        return ["partner", "key", "key_style", *state] if obj else []

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "api_key":
            kwargs["label"] = KEY_LABEL
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @admin.display(description=KEY_LABEL, ordering="api_key")
    def key(self, credential: Credential) -> str:
        return credential.api_key

    def save_model(self, request: HttpRequest, obj: Credential, form: Any, change: bool) -> None:
        now, by = database_now(), actor_of(request)
        if not change:
            with transaction.atomic():
                stored = tested_key_store(
                    partner=obj.partner, credential=obj, report=form.report, now=now, with_history=False
                )
                audit_note(action=Action.KEY_ADDED, by=by, target=obj, detail=onboarded_detail(stored), now=now)
            self.message_user(request, f"{form.report.detail} Its races are looked for now.")
            return
        fields = {name: [form.initial[name], form.cleaned_data[name]] for name in form.changed_data if name != "secret"}
        with transaction.atomic():
            # Only what the form holds: a lane may have written the key's status since it was read.
            obj.save(update_fields=["label", "hourly_limit"])
            if fields:
                audit_note(action=Action.KEY_CHANGED, by=by, target=obj, detail=fields, now=now)
            if form.new_secret:
                secret_store(credential=obj, api_secret=form.new_secret, report=form.report, now=now)
                audit_note(action=Action.SECRET_CHANGED, by=by, target=obj, now=now)
        if form.new_secret:
            self.message_user(request, f"The new secret works. {form.report.detail}")

    def delete_model(self, request: HttpRequest, obj: Credential) -> None:
        audit_note(action=Action.KEY_DELETED, by=actor_of(request), target=obj, now=database_now())
        super().delete_model(request, obj)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        if "_verify" not in request.POST:
            return super().response_change(request, obj)
        self._verify(request, obj)
        return HttpResponseRedirect(request.path)

    def why_kept(self, obj: Credential) -> str:
        if not obj.races.exists() and not obj.event_syncs.exists():  # type: ignore[attr-defined]
            return ""
        return f"{obj} has brought races, which are synced with it: it is not deleted. Pause it to stop its syncs."

    @admin.action(description="Verify selected keys with RunSignUp", permissions=["run"])
    def verify_keys(self, request: HttpRequest, queryset: QuerySet[Credential]) -> None:
        credentials = list(queryset.select_related("partner")[: MOST_VERIFIED + 1])
        if len(credentials) > MOST_VERIFIED:
            text = f"Choose at most {MOST_VERIFIED} keys: each is asked about at RunSignUp while you wait."
            self.message_user(request, text, messages.WARNING)
            return
        for credential in credentials:
            self._verify(request, credential)

    def _verify(self, request: HttpRequest, credential: Credential) -> None:
        try:
            report = credential_verify(credential, by=actor_of(request), now=database_now())
        except CredentialProblem as problem:
            text, level = problem.text, messages.ERROR
        else:
            text, level = f"{status_detail(report)}.", messages.SUCCESS
        self.log_all(request, [credential], f"Verified: {text}")
        self.message_user(request, f"{credential}: {text}", level)

    @admin.action(description="Pause selected keys: no call is made with them", permissions=["run"])
    def pause_keys(self, request: HttpRequest, queryset: QuerySet[Credential]) -> None:
        credentials = list(queryset.select_related("partner"))
        with transaction.atomic():
            paused = keys_pause(key_ids=[credential.pk for credential in credentials])
            changed = [credential for credential in credentials if credential.pk in paused]
            self.note_all(request, changed, Action.KEY_PAUSED, "Paused.", now=database_now())
        self.message_user(request, switch_text(changed, on=False, what_then=NO_MORE_CALLS))
        if any(credential.status == Credential.Status.REFUSED for credential in credentials):
            self.message_user(request, "A refused key makes no calls anyway.", messages.WARNING)

    @admin.action(description="Resume selected paused keys", permissions=["run"])
    def resume_keys(self, request: HttpRequest, queryset: QuerySet[Credential]) -> None:
        credentials = list(queryset.select_related("partner"))
        with transaction.atomic():
            resumed = keys_resume(key_ids=[credential.pk for credential in credentials])
            changed = [credential for credential in credentials if credential.pk in resumed]
            self.note_all(request, changed, Action.KEY_RESUMED, "Resumed.", now=database_now())
        self.message_user(request, switch_text(changed, on=True, what_then=f"What is due is synced {NEXT_CYCLE}."))
        if any(credential.status == Credential.Status.REFUSED for credential in credentials):
            self.message_user(request, "A refused key resumes when it is verified.", messages.WARNING)

    @admin.action(description="Look for races of selected keys now", permissions=["run"])
    def discover_keys(self, request: HttpRequest, queryset: QuerySet[Credential]) -> None:
        now = database_now()
        credentials = list(queryset.select_related("partner"))
        with transaction.atomic():
            for credential in credentials:
                task = partial(async_task, DISCOVERY_TASK, credential.pk, now.isoformat(), cluster=DISCOVERY_QUEUE)
                transaction.on_commit(task)
            self.note_all(request, credentials, Action.DISCOVERY_ASKED, "Asked to look for its races.", now=now)
        self.message_user(request, "Asked: a running cluster looks for their races within seconds.")


@admin.register(PartnerMembership)
class PartnerMembershipAdmin(AccessAdmin):
    gives = "partner"
    list_display = ["user", "partner"]
    list_select_related = ["user", "partner"]
    search_fields = ["user__username", "user__email", "partner__name", "partner__slug"]
    autocomplete_fields = ["user", "partner"]

    def view_on_site(self, obj: PartnerMembership) -> str:
        return reverse("partner_page", args=[obj.partner.slug])
