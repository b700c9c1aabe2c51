"""The demo's partners and logins, made through the services that the admin uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model

from partners.audit import command_actor
from partners.gate import database_now
from partners.models import Credential, TimingPartner
from partners.onboarding import partner_onboard
from partners.secret import Secret
from races.models import Event, RaceAccess

PASSWORD = "race-morning"  # noqa: S105 - the demo's own, on loopback, for invented people
STAFF, DIRECTOR = "staff", "director"
DIRECTED_RACES = 3


class NotEmpty(Exception):
    """The database has partners: the demo does not mix invented races into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    name: str
    password: str
    may: str


def refuse_used_database() -> None:
    count = TimingPartner.objects.count()
    if count:
        raise NotEmpty(
            f"DATABASE_URL points to a database with {count} timing partners. The demo needs an empty one: name "
            "another database, or leave DATABASE_URL out and the demo starts its own."
        )


def partners_onboard(keys: Sequence[dict[str, Any]], *, tell: Callable[[str], None]) -> list[Credential]:
    """Onboard every key of the sandbox. Half of them use the header style, so that both are seen at work."""
    credentials = []
    for number, key in enumerate(keys):
        onboarded = partner_onboard(
            name=key["name"],
            contact_email=f"crew{number + 1}@example.test",
            timezone=key["timezone"],
            api_key=key["key"],
            api_secret=Secret(key["secret"]),
            key_style=Credential.KeyStyle.HEADER if number % 2 else Credential.KeyStyle.QUERY,
            by=command_actor(),
            now=database_now(),
        )
        credentials.append(onboarded.credential)
        tell(f"{onboarded.partner}: {onboarded.report.detail}")
    return credentials


def logins_make() -> list[Login]:
    """A member of staff, and a director of the races that start next."""
    users = get_user_model().objects
    users.create_superuser(STAFF, password=PASSWORD)
    director = users.create_user(DIRECTOR, password=PASSWORD)
    coming = Event.objects.filter(starts_at__gte=database_now() - timedelta(minutes=30)).order_by("starts_at")
    races = list(dict.fromkeys(coming.values_list("race_id", flat=True)[:50]))[:DIRECTED_RACES]
    RaceAccess.objects.bulk_create([RaceAccess(user=director, race_id=race_id) for race_id in races])
    return [
        Login(name=STAFF, password=PASSWORD, may="everything, and the admin"),
        Login(name=DIRECTOR, password=PASSWORD, may=f"the {len(races)} races that start next"),
    ]
