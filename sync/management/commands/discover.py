from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from partners.audit import Action, audit_note_all, command_actor
from partners.gate import database_now
from partners.models import Credential, TimingPartner
from sync.management.discovery_terminal import counted, discovery_show
from sync.management.terminal import console_on


class Command(BaseCommand):
    help = (
        "Look for new races and changed start times now, instead of at 06:00 and 18:00 of the partner's clock. "
        "Exit code 0: done; 1: a key failed; 2: no such partner."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--partner", metavar="SLUG", help="only the keys of this timing partner (default: all)")

    def handle(self, *args: Any, partner: str | None, **options: Any) -> None:
        console = console_on(self.stdout)
        failed = 0
        keys = _keys(partner)
        audit_note_all(action=Action.DISCOVERY_ASKED, by=command_actor(), targets=keys, now=database_now())
        for credential in keys:
            report = discovery_show(console, credential)
            failed += report is None or bool(report.problem)
        console.print(f"{counted(len(keys), 'key')} looked at, {failed} failed.")
        if failed:
            raise CommandError(f"{counted(failed, 'key')} failed: see above.", returncode=1)


def _keys(slug: str | None) -> list[Credential]:
    keys = Credential.objects.select_related("partner").defer("api_secret")
    if slug is None:
        # What staff switched off is not asked; a key that RunSignUp refuses is named.
        found = list(keys.filter(partner__is_active=True).exclude(status=Credential.Status.PAUSED))
    else:
        found = list(keys.filter(partner__slug=slug))
        if not found and not TimingPartner.objects.filter(slug=slug).exists():
            slugs = ", ".join(TimingPartner.objects.order_by("slug").values_list("slug", flat=True)[:20])
            raise CommandError(f"There is no partner {slug!r}. There are: {slugs or 'none yet'}.", returncode=2)
    if not found:
        raise CommandError("There is no key to ask. Store one: manage.py onboard NAME --api-key KEY", returncode=1)
    return found
