"""Onboarding: a key is tested before anything of it is stored, and tested again whenever a person asks.

Each of these may call the provider, so none may be called inside a transaction; the parts that only store are named so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeAlias

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django_q.tasks import async_task

from partners import gate, providers
from partners.audit import Action, Actor, audit_note
from partners.budget import Purpose
from partners.credential_problems import CredentialProblem, InvalidEntry, credential_problem
from partners.documents import CredentialReport
from partners.gate import NoBudget
from partners.models import Credential, TimingPartner
from partners.runsignup.client import RunSignUpClient
from partners.runsignup.errors import ProviderError
from partners.secret import Secret
from partners.trial_calls import trial_gate, trials_book

logger = logging.getLogger(__name__)

Gate: TypeAlias = Callable[[], AbstractContextManager[object]]

# Upwards calls go by name, the task's as the queue's: this package must not import what works with it.
DISCOVERY_TASK = "sync.tasks.discovery"
DISCOVERY_QUEUE = "sync"
RELEASE_TASK = "sync.tasks.key_released"

# A person waits for the answer, and a key that is refused keeps all its races waiting: its calls are as urgent as any.
VERIFY_PURPOSE: Purpose = "HIGH"
VERIFY_PATIENCE = 5.0
NO_PARTICIPANTS = (
    "but it may not read the participants of the race that was tried: ask its director to give your company access"
)

ONLY_IN_QUERY = "RunSignUp takes this key in the query only, and it is stored so."


@dataclass(frozen=True, slots=True, kw_only=True)
class Onboarded:
    partner: TimingPartner
    credential: Credential
    report: CredentialReport


def credential_try(*, api_key: str, api_secret: Secret, key_style: str, now: datetime) -> CredentialReport:
    """What this key sees; it need not be stored. Raises CredentialProblem with a sentence that says what to do.

    A key that is unknown in the header is tried in the query: RunSignUp has both kinds, and nobody knows by heart which
    one they copied (contract §1.1). The report says which one it is.
    """
    stored = Credential.objects.filter(api_key=api_key).defer("api_secret").first()
    if stored is not None:
        raise _already_stored(stored)
    test = partial(
        _test,
        api_key=api_key,
        api_secret=api_secret,
        call_gate=trial_gate(api_key, patience=VERIFY_PATIENCE),
        now=now,
    )
    try:
        return test(key_style=key_style)
    except CredentialProblem as problem:
        if key_style != Credential.KeyStyle.HEADER or not problem.unknown_key:
            raise
    report = test(key_style=Credential.KeyStyle.QUERY.value)
    return replace(report, detail=f"{report.detail} {ONLY_IN_QUERY}")


def _already_stored(stored: Credential) -> CredentialProblem:
    text = f"This key is stored already, as {stored}: verify it there."
    return CredentialProblem(text, field="api_key", verdict="Stored already")


def _test(*, api_key: str, api_secret: Secret, key_style: str, call_gate: Gate, now: datetime) -> CredentialReport:
    transport = providers.make_transport_for(api_key=api_key, api_secret=api_secret, key_style=key_style)
    try:
        report = RunSignUpClient(transport=transport, gate=call_gate).credential_test(now=now)
        return replace(report, key_style=key_style)
    except (ProviderError, NoBudget) as error:
        raise credential_problem(error) from error
    finally:
        transport.close()


def partner_onboard(
    *,
    name: str,
    timezone: str,
    api_key: str,
    api_secret: Secret,
    key_style: str,
    contact_email: str = "",
    label: str = "main",
    by: Actor,
    now: datetime,
) -> Onboarded:
    """Test the key, store a new partner with it, ask for its discovery. Raises CredentialProblem: nothing stored."""
    partner = TimingPartner(name=name.strip(), contact_email=contact_email, timezone=timezone)
    _check_entry(partner, "name", "contact_email", "timezone")
    if TimingPartner.objects.filter(name__iexact=partner.name).exists():
        raise InvalidEntry(
            f"There is a timing partner named {partner} already: add a further key under its own label.",
            field="name",
        )
    credential = Credential(label=label, api_key=api_key, api_secret=api_secret, key_style=key_style)
    _check_entry(credential, "label", "api_key", "key_style")
    report = credential_try(api_key=api_key, api_secret=api_secret, key_style=key_style, now=now)
    with transaction.atomic():
        stored = tested_key_store(partner=partner, credential=credential, report=report, now=now, with_history=False)
        detail = onboarded_detail(stored)
        audit_note(action=Action.PARTNER_ONBOARDED, by=by, target=stored.partner, detail=detail, now=now)
    return stored


def credential_add(
    *, partner: TimingPartner, label: str, api_key: str, api_secret: Secret, key_style: str, by: Actor, now: datetime
) -> Onboarded:
    """Test a further key of a partner and store it. Raises CredentialProblem: nothing is stored."""
    if partner.credentials.filter(label=label).exists():
        raise InvalidEntry(
            f"{partner} has a key labelled {label} already: choose another label, or replace that key's secret.",
            field="label",
        )
    credential = Credential(label=label, api_key=api_key, api_secret=api_secret, key_style=key_style)
    _check_entry(credential, "label", "api_key", "key_style")
    report = credential_try(api_key=api_key, api_secret=api_secret, key_style=key_style, now=now)
    with transaction.atomic():
        stored = tested_key_store(partner=partner, credential=credential, report=report, now=now, with_history=False)
        audit_note(action=Action.KEY_ADDED, by=by, target=credential, detail=onboarded_detail(stored), now=now)
    return stored


def onboarded_detail(stored: Onboarded) -> dict[str, object]:
    """For the audit: which key, and what it saw."""
    return {"key": stored.credential.label, "races": stored.report.races}


def _check_entry(row: TimingPartner | Credential, *entered: str) -> None:
    """Raises InvalidEntry for the first entered field that cannot be stored."""
    if isinstance(row, Credential) and not row.api_secret:
        raise InvalidEntry("The API secret is empty.", field="api_secret")
    try:
        row.clean_fields(exclude={field.name for field in row._meta.fields} - set(entered))
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise InvalidEntry(f"{field.replace('_', ' ').capitalize()}: {problems[0]}", field=field) from None


def tested_key_store(
    *,
    partner: TimingPartner,
    credential: Credential,
    report: CredentialReport,
    now: datetime,
    with_history: bool,
) -> Onboarded:
    """Store what `credential_try` found good: the partner (when it is new), its key, and the calls that were spent.

    Both are unsaved rows, or `partner` is a stored one. `with_history`: once its races are found, the cluster loads
    everybody of them, past editions too. Raises CredentialProblem when somebody was faster.
    """
    # The time tells the task whether a discovery that ran meanwhile has served it already.
    asked = [now.isoformat(), True] if with_history else [now.isoformat()]
    try:
        with transaction.atomic():
            if partner.pk is None:
                partner.slug = _free_slug(partner.name)
                partner.save()
            elif TimingPartner.objects.select_for_update(no_key=True).get(pk=partner.pk).erase_asked_at:
                raise CredentialProblem(f"{partner} is being erased: a new key would be erased with it.")
            credential.partner = partner
            credential.key_style = report.key_style or credential.key_style
            credential.status, credential.status_detail = Credential.Status.OK, status_detail(report)
            credential.verified_at = now
            credential.save()
            trials_book(credential)
            transaction.on_commit(partial(async_task, DISCOVERY_TASK, credential.pk, *asked, cluster=DISCOVERY_QUEUE))
    except IntegrityError:
        raise CredentialProblem(
            "Somebody stored this key or partner a moment ago: look at the list of keys.", field="api_key"
        ) from None
    logger.info(
        "Key stored",
        extra={"action": "key_stored", "partner": partner.slug, "credential": credential.pk, "races": report.races},
    )
    return Onboarded(partner=partner, credential=credential, report=report)


def _free_slug(name: str) -> str:
    """The name's slug, with a number when another partner has it. A name without Latin letters becomes "partner"."""
    base = slugify(name)[:70].strip("-") or "partner"
    taken = set(TimingPartner.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    slug, number = base, 1
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug


def status_detail(report: CredentialReport) -> str:
    """`valid, 28 races, 61 upcoming events`, and what does not work."""
    races = "1 race" if report.races == 1 else f"{report.races} races"
    events = "1 upcoming event" if report.upcoming_events == 1 else f"{report.upcoming_events} upcoming events"
    detail = f"valid, {races}, {events}"
    return f"{detail}, {NO_PARTICIPANTS}" if report.participants_readable is False else detail


def credential_verify(credential: Credential, *, by: Actor, now: datetime) -> CredentialReport:
    """Test a stored key and write down what comes back; a refused key that works resumes at once.

    Raises CredentialProblem; a refusal is stored, a test that could not be made changes nothing.
    """
    try:
        report = secret_try(credential=credential, api_secret=credential.api_secret, now=now)
    except CredentialProblem as problem:
        with transaction.atomic():
            if problem.refused:
                credential.status, credential.status_detail = Credential.Status.REFUSED, problem.text
                credential.refused_at = now
                credential.save(update_fields=["status", "status_detail", "refused_at"])
            _note_verified(credential, problem.text, by=by, now=now)
        raise
    with transaction.atomic():
        _confirmed(credential, report, now=now)
        _note_verified(credential, status_detail(report), by=by, now=now)
    return report


def _note_verified(credential: Credential, answer: str, *, by: Actor, now: datetime) -> None:
    audit_note(action=Action.KEY_VERIFIED, by=by, target=credential, detail={"answer": answer}, now=now)


def _confirmed(credential: Credential, report: CredentialReport, *, now: datetime) -> None:
    """Inside a transaction. A key that staff paused works, but stays paused."""
    before = _still_there(credential)
    credential.status = Credential.Status.PAUSED if before == Credential.Status.PAUSED else Credential.Status.OK
    credential.status_detail, credential.verified_at, credential.refused_at = status_detail(report), now, None
    credential.save(update_fields=["status", "status_detail", "verified_at", "refused_at"])
    if before == Credential.Status.REFUSED:
        transaction.on_commit(partial(async_task, RELEASE_TASK, credential.pk))


def _still_there(credential: Credential) -> str:
    """Its status now, locked: a lane may have written a refusal since it was read. Raises CredentialProblem when the
    key that was tested is not the stored one any more: its partner left during the test."""
    api_key, status = Credential.objects.select_for_update().values_list("api_key", "status").get(pk=credential.pk)
    if api_key != credential.api_key:
        raise CredentialProblem("This key was deleted while it was being tested: nothing was stored.")
    return str(status)


def secret_try(*, credential: Credential, api_secret: Secret, now: datetime) -> CredentialReport:
    """What the stored key sees with another secret. Nothing is stored. Raises CredentialProblem."""
    return _test(
        api_key=credential.api_key,
        api_secret=api_secret,
        key_style=credential.key_style,
        call_gate=partial(gate.call, credential.pk, purpose=VERIFY_PURPOSE, patience=VERIFY_PATIENCE),
        now=now,
    )


def secret_store(*, credential: Credential, api_secret: Secret, report: CredentialReport, now: datetime) -> None:
    """Store a secret that `secret_try` found good; a refused key resumes at once."""
    with transaction.atomic():
        _still_there(credential)
        credential.api_secret = api_secret
        credential.save(update_fields=["api_secret"])
        _confirmed(credential, report, now=now)
    logger.info("Secret replaced", extra={"action": "secret_replaced", "credential": credential.pk})


def credential_replace_secret(*, credential: Credential, api_secret: Secret, now: datetime) -> CredentialReport:
    """Test another secret of a stored key and store it. Raises CredentialProblem: the old one stays."""
    report = secret_try(credential=credential, api_secret=api_secret, now=now)
    secret_store(credential=credential, api_secret=api_secret, report=report, now=now)
    return report
