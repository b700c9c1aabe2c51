from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from partners.audit import command_actor
from partners.credential_problems import CredentialProblem, InvalidEntry
from partners.gate import database_now
from partners.models import Credential, TimingPartner
from partners.onboarding import Onboarded, credential_add, partner_onboard
from partners.secret import Secret
from races.models import Event
from sync.management.discovery_terminal import counted, discovery_show
from sync.management.terminal import console_on, working
from sync.services.forecast import outlook_of
from sync.services.policies import policy_now


class Command(BaseCommand):
    help = (
        "Store a timing partner with its RunSignUp key. The key is tested first; one that does not work is not stored. "
        "Then its races are looked for. The secret is read from a hidden prompt, never from the command line. "
        "Exit code 0: done; 1: the key or the discovery failed; 2: something was entered wrongly."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help='the timing company, such as "Ridgeline Timing"')
        parser.add_argument("--api-key", metavar="K", required=True, help="the key of the company's RunSignUp account")
        parser.add_argument(
            "--api-secret-stdin", action="store_true", help="read the secret from standard input instead of a prompt"
        )
        parser.add_argument(
            "--key-style",
            choices=Credential.KeyStyle.values,
            default=Credential.KeyStyle.HEADER.value,
            help="header (default): rsu_api_key and X-RSU-API-SECRET; a key that RunSignUp does not know so is "
            "tried as query: api_key and api_secret in the address",
        )
        parser.add_argument("--contact", metavar="EMAIL", default="", help="whom to write to about this partner")
        parser.add_argument(
            "--timezone", metavar="TZ", default="America/New_York", help="IANA name (default: %(default)s)"
        )
        parser.add_argument(
            "--label", metavar="L", default="main", help="name of this key; a partner may have several (default: main)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        console = console_on(self.stdout)
        secret = _secret_from_stdin() if options["api_secret_stdin"] else _secret_from_prompt()
        try:
            with working(console, "Testing the key with RunSignUp …"):
                stored = _store(options, secret)
        except CredentialProblem as problem:
            code = 2 if isinstance(problem, InvalidEntry) else 1
            raise CommandError(f"{problem.text} Nothing was stored.", returncode=code) from None
        ending = f", secret ends in …{secret.ending}" if secret.ending else ""
        console.print(stored.report.detail)
        console.print(f"Stored: {stored.partner} ({stored.partner.slug}), key {stored.credential.label}{ending}.")
        report = discovery_show(console, stored.credential)
        if report is not None and report.problem:
            raise CommandError(
                "The key is stored; the cluster looks for its races again in a few minutes.", returncode=1
            )
        _say_what_next(console, stored)


def _store(options: dict[str, Any], secret: Secret) -> Onboarded:
    name, key = options["name"].strip(), options["api_key"].strip()
    known = TimingPartner.objects.filter(name__iexact=name).first()
    if known is not None:
        return credential_add(
            partner=known,
            label=options["label"],
            api_key=key,
            api_secret=secret,
            key_style=options["key_style"],
            by=command_actor(),
            now=database_now(),
        )
    return partner_onboard(
        name=name,
        contact_email=options["contact"],
        timezone=options["timezone"],
        label=options["label"],
        api_key=key,
        api_secret=secret,
        key_style=options["key_style"],
        by=command_actor(),
        now=database_now(),
    )


def _secret_from_stdin() -> Secret:
    lines = sys.stdin.read().split()
    if len(lines) != 1:
        raise CommandError("Standard input must hold the API secret and nothing else.", returncode=2)
    return Secret(lines[0])


def _secret_from_prompt() -> Secret:
    if not sys.stdin.isatty():
        raise CommandError("There is no terminal to ask for the secret: use --api-secret-stdin.", returncode=2)
    return Secret(getpass.getpass("API secret (not shown): ").strip())


def _say_what_next(console: Console, stored: Onboarded) -> None:
    now = database_now()
    coming = Event.objects.filter(race__partner=stored.partner, starts_at__gte=now)
    soon = coming.filter(starts_at__lt=now + timedelta(hours=24)).count()
    console.print(f"{counted(coming.count(), 'event')} of {stored.partner} to come, {soon} within 24 hours.")
    outlook = outlook_of(stored.credential, now=now, policy=policy_now())
    console.print(f"This key's busiest hour: {outlook.busiest}")
    console.print("Next:")
    console.print("  manage.py cluster  keeps them in sync, those that start soon most often")
    console.print(f"  manage.py backfill --partner {stored.partner.slug}  loads the earlier editions")
