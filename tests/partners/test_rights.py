"""The groups of staff, and that nothing but the modules of rights looks at flags and groups."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission

from partners.rights import GROUPS, groups_ensure, is_staff, may, may_operate
from tests.factories import PartnerMembershipFactory, UserFactory

ROOT = Path(__file__).resolve().parents[2]
# Flags of a user, and what Django makes of flags and groups.
FLAGS = {"is_staff", "is_superuser", "has_perm", "has_perms", "has_module_perms", "user_permissions"}
# Its form edits them, and the audit says what was changed in it.
EDITS_THEM = "partners/accounts_admin.py"


def rights_of(name: str) -> set[str]:
    rows = Permission.objects.filter(group__name=name).values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def flags_in(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.keyword):
            found.add(node.arg or "")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found & FLAGS


def test_only_the_module_of_rights_looks_at_flags_and_groups():
    asking = {
        path.relative_to(ROOT).as_posix(): flags
        for app in ("partners", "project88", "races", "sync")
        for path in (ROOT / app).rglob("*.py")
        if "migrations" not in path.parts and (flags := flags_in(path.read_text()))
    }
    assert asking.pop(EDITS_THEM) == {"user_permissions"}
    assert set(asking) == {"partners/rights.py"}, asking


def test_no_template_looks_at_flags_of_the_reader():
    for path in (ROOT / "templates").rglob("*.html"):
        assert "is_staff" not in path.read_text(), path
        assert "is_superuser" not in path.read_text(), path


@pytest.mark.django_db
def test_a_migrated_database_has_the_groups_with_every_right_that_is_written_down():
    for name, rights in GROUPS.items():
        assert rights <= rights_of(name), f"{name}: a right that does not exist"
        assert "partners.view_credential" in rights_of(name)


@pytest.mark.django_db
def test_no_group_may_touch_accounts_or_groups():
    for name in GROUPS:
        assert {right for right in rights_of(name) if right.startswith("auth.")} <= {"auth.view_user"}


@pytest.mark.django_db
def test_looking_is_all_that_the_group_view_may():
    assert all(".view_" in right for right in rights_of("View"))


@pytest.mark.django_db
def test_the_next_migration_takes_back_what_was_added_by_hand_and_leaves_other_groups_alone():
    right = Permission.objects.get(codename="change_user")
    other = Group.objects.create(name="Accounts")
    for group in (Group.objects.get(name="Onboard"), other):
        group.permissions.add(right)
    groups_ensure()
    assert "auth.change_user" not in rights_of("Onboard")
    assert rights_of("Accounts") == {"auth.change_user"}


@pytest.mark.django_db
def test_a_right_without_the_staff_flag_is_none():
    member = PartnerMembershipFactory().user
    member.groups.add(Group.objects.get(name="Operate"))
    assert not is_staff(member)
    assert not may_operate(member)
    assert not may(AnonymousUser(), "races.view_race")


@pytest.mark.django_db
def test_who_left_has_no_right_whatever_the_flags_say():
    assert not is_staff(UserFactory(is_staff=True, is_superuser=True, is_active=False))
    assert is_staff(UserFactory(is_superuser=True))
