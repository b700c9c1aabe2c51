"""An entry of the audit stays as it is, whoever asks; only the person in it is forgotten after the retention time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from partners.audit import Action, Actor, audit_note, audit_note_all, audit_people_blank
from partners.gate import database_now
from partners.models import AuditEntry
from races.retention import retention_apply
from tests.factories import CredentialFactory, TimingPartnerFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna():
    return UserFactory(username="anna")


@pytest.fixture
def note(anna):
    """An entry of Anna's, written so many days ago."""

    def noted(target, *, days=0, action=Action.ACCESS_GIVEN, **detail):
        by = Actor(user_id=anna.pk, name="anna", address="192.0.2.7")
        now = database_now() - timedelta(days=days)
        audit_note(action=action, by=by, target=target, detail=detail, now=now)
        return AuditEntry.objects.latest("pk")

    return noted


@pytest.mark.parametrize(
    "change",
    [
        {"action": "pruned"},
        {"at": database_now},
        {"username": "bo"},
        {"username": ""},
        {"address": ""},
        {"detail": {}},
        {"object_text": ""},
        {"object_id": "2"},
    ],
)
def test_no_entry_is_changed(note, change):
    entry = note(TimingPartnerFactory(), person="bo")
    values = {name: value() if callable(value) else value for name, value in change.items()}

    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        AuditEntry.objects.update(**values)

    assert AuditEntry.objects.get().username == entry.username


@pytest.mark.parametrize("change", [{"username": "bo"}, {"detail": {}}, {"object_text": ""}, {"action": "pruned"}])
def test_of_an_old_entry_only_the_person_can_be_blanked(note, change):
    note(TimingPartnerFactory(), days=900, rows=5)

    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEntry.objects.update(**change)


@pytest.mark.parametrize("days", [0, 900])
def test_no_entry_is_deleted(note, days):
    note(None, days=days)

    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEntry.objects.all().delete()

    assert AuditEntry.objects.count() == 1


def test_an_erased_partner_and_an_erased_account_leave_their_entries(note, anna):
    partner = TimingPartnerFactory(name="Seacoast")
    entry = note(partner)

    partner.delete()
    anna.delete()

    entry.refresh_from_db()
    assert (entry.partner, entry.user) == (None, None)
    assert (entry.object_text, entry.username) == ("Seacoast", "anna")


def test_after_the_retention_time_an_entry_says_what_but_not_who(note, anna):
    key = CredentialFactory(label="main", partner__name="Seacoast")
    note(key, days=800, person="bo", rows=5)
    note(anna, days=800, action=Action.LOGGED_IN)
    young = note(key, days=700, person="bo")

    report = retention_apply(months=24, now=database_now())

    assert (report.audit, report.finished) == (2, True)
    given, login = AuditEntry.objects.exclude(pk=young.pk).order_by("pk")
    for entry in (given, login):
        assert (entry.user, entry.username, entry.address) == (None, "", "")
    assert (given.object_text, given.partner, given.detail) == ("Seacoast · main", key.partner, {"rows": 5})
    assert (login.object_text, login.object_id, login.action) == ("", "", "logged_in")
    young.refresh_from_db()
    assert (young.username, young.detail) == ("anna", {"person": "bo"})
    assert retention_apply(months=24, now=database_now()).audit == 0


def test_without_a_retention_time_everybody_stays_named(note):
    note(None, days=5000)

    assert retention_apply(months=0, now=database_now()).audit == 0
    assert AuditEntry.objects.get().username == "anna"


def test_a_young_entry_is_not_blanked_whatever_is_asked(note):
    note(None, days=20)

    with pytest.raises(IntegrityError), transaction.atomic():
        audit_people_blank(before=database_now())


def test_many_are_noted_with_one_statement(django_assert_num_queries):
    keys, by = CredentialFactory.create_batch(50), Actor(user_id=None, name="n" * 500, address="a" * 500)
    now = database_now()

    with django_assert_num_queries(1):
        audit_note_all(action=Action.KEY_PAUSED, by=by, targets=keys, now=now)

    assert set(AuditEntry.objects.values_list("partner_id", flat=True)) == {key.partner_id for key in keys}
