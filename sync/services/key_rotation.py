"""Replacing a key without a gap: the new one is tested, then all races of the old one change over at once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from partners.audit import Action, Actor, audit_note
from partners.credential_problems import CredentialProblem, InvalidEntry
from partners.documents import CredentialReport
from partners.models import Credential, TimingPartner
from partners.onboarding import credential_try, secret_store, secret_try, tested_key_store
from partners.secret import Secret
from races.models import Race
from sync.core.time_words import counted
from sync.models import EventSync
from sync.services.key_releases import key_release

logger = logging.getLogger(__name__)

NAMED = 3


class UnseenRaces(CredentialProblem):
    """The new key works, but does not see races that the old one brings: it may be another company's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """`credential` is in use now. `retired`: the old key, paused; None when it is the same key with another secret."""

    credential: Credential
    retired: Credential | None
    report: CredentialReport
    races: int


def key_rotate(
    *,
    credential: Credential,
    api_key: str,
    api_secret: Secret,
    key_style: str,
    even_if_unseen: bool,
    by: Actor,
    now: datetime,
) -> Rotated:
    """Test a new key (or another secret of the same one) and put it in the place of `credential`.

    Calls the provider: not inside a transaction. Raises CredentialProblem, UnseenRaces unless `even_if_unseen`: then
    the old key stays in use. A visit under way ends with the old key, in its budget; another key has a budget of its
    own, the same key keeps its.
    """
    if not api_key or not api_secret:
        raise InvalidEntry("Enter the API key and its secret.")
    if api_key == credential.api_key:
        return _new_secret(credential, api_secret, key_style=key_style, by=by, now=now)
    report = credential_try(api_key=api_key, api_secret=api_secret, key_style=key_style, now=now)
    if not even_if_unseen:
        _must_see_all(credential, report, now=now)
    new = Credential(
        label=credential.label,
        api_key=api_key,
        api_secret=api_secret,
        key_style=key_style,
        hourly_limit=credential.hourly_limit,
    )
    with transaction.atomic():
        races = _swap(credential, new, report, now=now)
        audit_note(action=Action.KEY_REPLACED, by=by, target=new, detail={"races": races}, now=now)
    logger.info(
        "Key replaced",
        extra={"action": "key_replaced", "credential": new.pk, "retired": credential.pk, "races": races},
    )
    return Rotated(credential=new, retired=credential, report=report, races=races)


def _new_secret(credential: Credential, api_secret: Secret, *, key_style: str, by: Actor, now: datetime) -> Rotated:
    credential.key_style = key_style
    report = secret_try(credential=credential, api_secret=api_secret, now=now)
    with transaction.atomic():
        credential.save(update_fields=["key_style"])
        secret_store(credential=credential, api_secret=api_secret, report=report, now=now)
        audit_note(action=Action.SECRET_CHANGED, by=by, target=credential, now=now)
    races = Race.objects.filter(credential=credential).count()
    return Rotated(credential=credential, retired=None, report=report, races=races)


def _must_see_all(credential: Credential, report: CredentialReport, *, now: datetime) -> None:
    coming = Race.objects.filter(
        credential=credential, gone_at=None, sync_enabled=True, events__starts_at__gte=now, events__gone_at=None
    )
    seen = {race_id for race_id, _name in report.upcoming_races}
    rows = coming.order_by("name").distinct().values_list("provider_race_id", "name")
    unseen = [name for race_id, name in rows if race_id not in seen]
    if unseen:
        more = f" and {len(unseen) - NAMED} more" if len(unseen) > NAMED else ""
        raise UnseenRaces(
            f"The new key works, but it does not see {counted(len(unseen), 'upcoming race')} of the old one: "
            f"{', '.join(unseen[:NAMED])}{more}. They would not be synced. Is it this company's key? If so, replace "
            "it all the same.",
            field="api_key",
            verdict="Races missing",
        )


def _swap(old: Credential, new: Credential, report: CredentialReport, *, now: datetime) -> int:
    """How many races changed over. In the order in which everybody locks: partner, races, events."""
    partner = TimingPartner.objects.select_for_update(no_key=True).get(pk=old.partner_id)
    tested, old = old, Credential.objects.select_for_update().defer("api_secret").get(pk=old.pk)
    if old.api_key != tested.api_key:
        raise CredentialProblem("The old key was deleted while the new one was being tested: nothing was stored.")
    before = old.status
    old.label, old.status = _retired_label(old, now=now), Credential.Status.PAUSED
    old.status_detail = f"Replaced by another key on {now:%d %b %Y}. Delete it when RunSignUp has revoked it."
    old.save(update_fields=["label", "status", "status_detail"])
    tested_key_store(partner=partner, credential=new, report=report, now=now, with_history=False)
    if before == Credential.Status.PAUSED:
        Credential.objects.filter(pk=new.pk).update(status=before)
    races = list(Race.objects.filter(credential=old).select_for_update().order_by("pk").values_list("pk", flat=True))
    Race.objects.filter(pk__in=races).update(credential=new)
    events = EventSync.objects.filter(credential=old).select_for_update().order_by("pk").values_list("pk", flat=True)
    EventSync.objects.filter(pk__in=list(events)).update(credential=new)
    if before == Credential.Status.REFUSED:
        key_release(credential_id=new.pk, now=now)
    return len(races)


def _retired_label(old: Credential, *, now: datetime) -> str:
    """Free for this partner: the new key takes over the old one's label."""
    taken = set(Credential.objects.filter(partner_id=old.partner_id).values_list("label", flat=True))
    base = f"{old.label[:50]} until {now:%Y-%m-%d}"
    label, number = base, 1
    while label in taken:
        number += 1
        label = f"{base} ({number})"
    return label
