"""Who may do what, but for single races (`races.access`). Every view and the admin ask here; nothing else looks at
flags or groups, which a test holds. docs/rights.md is the table, URL by URL."""

from __future__ import annotations

from typing import TypeAlias

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, Permission, PermissionsMixin
from django.db.models import Q
from django.http import Http404, HttpRequest

Reader: TypeAlias = AbstractBaseUser | AnonymousUser

OPERATE = "partners.operate"
ONBOARD = "partners.change_timingpartner"
# Who has it has all rights to look at records: the groups give these as a whole.
LOOK = "races.view_race"
# Of these apps each group sees every record. Not of `auth`: who may change an account could make it a superuser.
LOOKED_AT = frozenset({"partners", "races", "sync", "django_q"})
SHARE = frozenset({"races.add_sharelink", "races.change_sharelink"})
GIVEN_BY_ONBOARDING = (
    "partners.{}_timingpartner",
    "partners.{}_credential",
    "partners.{}_partnermembership",
    "races.{}_raceaccess",
)
STAFF_ACCOUNTS = Q(is_staff=True) | Q(is_superuser=True)
# What stands on an account beside its groups.
ACCOUNT_SWITCHES = frozenset({"is_active", "is_staff", "is_superuser"})
# What a group may besides looking. Written at each migrate, so a change here needs no migration.
GROUPS: dict[str, frozenset[str]] = {
    # A single race is switched off with `change_race`; accounts are looked up to give them rights.
    "Onboard": SHARE
    | {right.format(verb) for right in GIVEN_BY_ONBOARDING for verb in ("add", "change", "delete")}
    | {"races.change_race", "auth.view_user"},
    "Operate": SHARE
    | {OPERATE, "races.change_race", "races.change_heldremoval", "sync.change_policy", "sync.add_backfill"},
    "View": frozenset(),
}


def is_staff(user: Reader) -> bool:
    """Sees all races and the pages of the operation, changes nothing by that alone."""
    return bool(user.is_active and is_staff_account(user))


def is_superuser(user: Reader) -> bool:
    return bool(user.is_active and getattr(user, "is_superuser", False))


def is_staff_account(user: Reader) -> bool:
    """Also one that is switched off: what an account is, not what its owner may now."""
    return bool(getattr(user, "is_staff", False) or getattr(user, "is_superuser", False))


def staff_only(user: Reader) -> None:
    """Raises Http404: for others the page does not exist."""
    if not is_staff(user):
        raise Http404


def may(user: Reader, *rights: str) -> bool:
    """Whether staff have all of these rights of Django, "app.codename". What others may is in `races.access`."""
    return is_staff(user) and isinstance(user, PermissionsMixin) and user.has_perms(rights)


def may_operate(user: Reader) -> bool:
    """Syncing now, pausing, resuming, comparing, of anything."""
    return may(user, OPERATE)


class RightsOfReader:
    """What templates ask: `rights.staff`. Looked up only where one is asked for."""

    def __init__(self, user: Reader) -> None:
        self._user = user

    @property
    def staff(self) -> bool:
        return is_staff(self._user)

    @property
    def look(self) -> bool:
        return may(self._user, LOOK)

    @property
    def onboard(self) -> bool:
        return may(self._user, ONBOARD)


def rights(request: HttpRequest) -> dict[str, RightsOfReader]:
    """A context processor."""
    return {"rights": RightsOfReader(request.user)}


def somebody_may_everything() -> bool:
    return get_user_model().objects.filter(is_superuser=True, is_active=True).exists()


def rights_of_group(name: str, known: dict[str, int]) -> set[int]:
    """The keys of its permissions. `known`: key by "app.codename"."""
    looks = {key for right, key in known.items() if _is_look(right)}
    return looks | {known[right] for right in GROUPS[name] if right in known}


def _is_look(right: str) -> bool:
    app, codename = right.split(".", 1)
    return app in LOOKED_AT and codename.startswith("view_")


def groups_ensure() -> None:
    """The groups with exactly their rights: what somebody added by hand goes, so other rights are another group's.

    After a migration, when all permissions exist: a migration of its own would see those of that moment only.
    """
    rows = Permission.objects.values_list("content_type__app_label", "codename", "pk")
    known = {f"{app}.{codename}": key for app, codename, key in rows}
    for name in GROUPS:
        group, _made = Group.objects.get_or_create(name=name)
        group.permissions.set(rights_of_group(name, known))
