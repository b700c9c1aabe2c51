"""The admin's forms for partners and keys. A key is tested while the form is checked, before anything is stored."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django import forms
from django.forms import ModelForm

from partners.credential_problems import CredentialProblem
from partners.documents import CredentialReport
from partners.encryption import WrongEncryptionKey
from partners.gate import database_now
from partners.models import Credential, TimingPartner
from partners.onboarding import credential_try, secret_try
from partners.secret import Secret

KEY_STYLE_HELP = (
    "“Header” keeps the secret out of web addresses. The test finds out if RunSignUp takes it in the query only."
)


def secret_field(**options: Any) -> forms.CharField:
    """A password input: what was typed is never sent back to the browser.

    Forms name it `secret`: under the model field's name Django would put an empty input into the row.
    """
    widget = forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password", "class": "vTextField"})
    return forms.CharField(label="API secret", widget=widget, max_length=500, **options)


class PartnerForm(ModelForm):
    """A partner's own data, with the zones as a list."""

    class Meta:
        model = TimingPartner
        fields = ["name", "contact_email", "alert_email", "timezone", "is_active"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.erase_asked_at is not None and "is_active" in self.fields:
            self.fields["is_active"].disabled = True
            self.fields["is_active"].help_text = "It is being erased: nothing of it can be switched on again."
        # Not given by whoever may only look.
        if "timezone" in self.fields:
            zones = {zone for zone in zoneinfo.available_timezones() if "/" in zone}
            zones |= {"UTC", self.instance.timezone}
            self.fields["timezone"] = forms.ChoiceField(
                choices=[(zone, zone) for zone in sorted(zones)],
                initial=TimingPartner._meta.get_field("timezone").default,
            )


class KeyTestForm(forms.Form):
    """What "Test key" reads of a form that is not saved yet."""

    api_key = forms.CharField(max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    secret = secret_field()
    key_style = forms.ChoiceField(choices=Credential.KeyStyle.choices)


class TestedKeyForm(ModelForm):
    """A form that asks the provider once everything else in it is right. `report` is what the key sees."""

    report: CredentialReport | None = None

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.errors:
            try:
                self.report = self.ask_provider()
            except CredentialProblem as problem:
                field = "secret" if problem.field == "api_secret" else problem.field
                self.add_error(field if field in self.fields else None, problem.text)
        return cleaned

    def ask_provider(self) -> CredentialReport | None:
        return credential_try(
            api_key=self.cleaned_data["api_key"],
            api_secret=Secret(self.cleaned_data["secret"]),
            key_style=self.cleaned_data["key_style"],
            now=database_now(),
        )


class OnboardingForm(TestedKeyForm, PartnerForm):
    """A new partner and its first key in one."""

    api_key = forms.CharField(
        label="API key",
        max_length=200,
        help_text="From the company's RunSignUp account, page “API Keys”.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "class": "vTextField"}),
    )
    secret = secret_field(help_text="Stored encrypted and never shown again.")
    key_style = forms.ChoiceField(
        choices=Credential.KeyStyle.choices, initial=Credential.KeyStyle.HEADER, help_text=KEY_STYLE_HELP
    )

    class Meta:
        model = TimingPartner
        fields = ["name", "contact_email", "alert_email", "timezone"]

    def clean_name(self) -> str:
        name = self.cleaned_data["name"].strip()
        if TimingPartner.objects.filter(name__iexact=name).exists():
            raise forms.ValidationError(f"There is a timing partner named {name} already: add a further key to it.")
        return name

    @property
    def credential(self) -> Credential:
        """The key as entered, not stored."""
        return Credential(
            api_key=self.cleaned_data["api_key"],
            api_secret=Secret(self.cleaned_data["secret"]),
            key_style=self.cleaned_data["key_style"],
        )


class NewKeyForm(TestedKeyForm):
    """A further key of a partner."""

    secret = secret_field(help_text="Stored encrypted and never shown again.")

    class Meta:
        model = Credential
        fields = ["partner", "label", "api_key", "key_style", "hourly_limit"]
        help_texts = {"key_style": KEY_STYLE_HELP}

    def save(self, commit: bool = True) -> Any:
        self.instance.api_secret = Secret(self.cleaned_data["secret"])
        return super().save(commit)


class StoredKeyForm(TestedKeyForm):
    """A stored key: another secret is tested with it and replaces the old one; an empty input keeps it."""

    secret = secret_field(required=False)

    class Meta:
        model = Credential
        fields = ["label", "hourly_limit"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "secret" in self.fields:
            self.fields["secret"].help_text = _keep_hint(self.instance)

    def ask_provider(self) -> CredentialReport | None:
        if not self.new_secret:
            return None
        return secret_try(credential=self.instance, api_secret=self.new_secret, now=database_now())

    def clean_label(self) -> str:
        label = self.cleaned_data["label"]
        others = Credential.objects.filter(partner_id=self.instance.partner_id).exclude(pk=self.instance.pk)
        if others.filter(label=label).exists():
            raise forms.ValidationError(f"This partner has another key labelled {label}.")
        return label

    @property
    def new_secret(self) -> Secret:
        return Secret(self.cleaned_data.get("secret") or "")


def _keep_hint(credential: Credential) -> str:
    try:
        ending = credential.api_secret.ending
    except WrongEncryptionKey:
        return (
            "The stored secret cannot be decrypted with CREDENTIAL_KEYS: put that key back, or enter the secret again."
        )
    return f"Leave empty to keep the stored one{f', which ends in …{ending}' if ending else ''}."
