"""manage.py rotate_keys: encrypt every stored secret with the first key of CREDENTIAL_KEYS."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from rich.console import Console

from partners.audit import Action, audit_note, command_actor
from partners.gate import database_now
from partners.stored_secrets import Rotation, SecretCount, secrets_count, secrets_rotate, unreadable_discard
from sync.core.time_words import counted
from sync.management.terminal import console_on

INTERRUPTED = 130
LINE_EVERY = 3.0


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret with the first key of CREDENTIAL_KEYS. Changing that key takes three steps and no "
        "downtime: (1) put the new key in front of the old one, on every machine, and restart web server and cluster; "
        "(2) run this command; (3) when it says that nothing is left under an old key, drop the old key and restart. "
        "May be interrupted and run again; a secret that somebody enters meanwhile is kept. Exit code 0: nothing is "
        "left under an old key; 1: something is; 2: a wrong argument; 130: interrupted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--check", action="store_true", help="say which keys are in use, change nothing")
        what.add_argument(
            "--discard-unreadable",
            type=int,
            metavar="NUMBER",
            help="empty the secrets that no key can decrypt because theirs is lost: then everything starts, and they "
            "are entered again in the admin. NUMBER: how many --check says they are",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        console = console_on(self.stdout)
        if options["discard_unreadable"] is not None:
            _discard(console, options["discard_unreadable"])
        elif not options["check"]:
            _rotate(console)
        _say_what_is(console, secrets_count())


def _discard(console: Console, confirmed: int) -> None:
    found = len(secrets_count().unreadable)
    if found != confirmed:
        raise CommandError(
            f"{_secrets(found)} cannot be decrypted, not {confirmed}: nothing was emptied. Are CREDENTIAL_KEYS right?",
            returncode=2,
        )
    with transaction.atomic():
        emptied = unreadable_discard()
        if emptied:
            _note(Action.SECRETS_DISCARDED, emptied)
    console.print(f"{_secrets(emptied)} emptied. Enter them again in the admin.")


def _rotate(console: Console) -> None:
    found = secrets_count()
    progress = _Progress(console, total=found.total)
    if found.under_old_keys:
        # As it begins: each batch is a transaction of its own, and what an interruption leaves is noted, too.
        _note(Action.SECRETS_ROTATED, found.under_old_keys)
    try:
        rotation = secrets_rotate(tell=progress.show)
    except KeyboardInterrupt:
        raise CommandError("Interrupted. The same command goes on from here.", returncode=INTERRUPTED) from None
    console.print(f"{_secrets(rotation.moved)} encrypted anew with the first key.")
    if rotation.overtaken:
        console.print(f"{_secrets(rotation.overtaken)} changed meanwhile: the newer one was kept.")


def _note(action: Action, number: int) -> None:
    audit_note(action=action, by=command_actor(), target=None, detail={"secrets": number}, now=database_now())


class _Progress:
    """A line every few seconds."""

    def __init__(self, console: Console, *, total: int) -> None:
        self._console = console
        self._total = total
        self._told = time.monotonic()

    def show(self, rotation: Rotation) -> None:
        if time.monotonic() - self._told < LINE_EVERY:
            return
        self._told = time.monotonic()
        self._console.print(f"rotate_keys: {rotation.seen:,} of {_secrets(self._total)} looked at")


def _say_what_is(console: Console, count: SecretCount) -> None:
    """Raises CommandError when an old key is still needed."""
    for place in range(1, len(settings.CREDENTIAL_KEYS) + 1):
        console.print(f"Key {place} of CREDENTIAL_KEYS encrypts {_secrets(count.by_key[place])}.")
    if count.unreadable:
        raise CommandError(
            f"No key decrypts {_secrets(len(count.unreadable))} ({', '.join(count.unreadable[:5])}): put the key that "
            "encrypted them back into CREDENTIAL_KEYS, behind the first one, and run this again. If it is lost: "
            f"manage.py rotate_keys --discard-unreadable {len(count.unreadable)}.",
            returncode=1,
        )
    if count.under_old_keys:
        raise CommandError(
            f"{_secrets(count.under_old_keys)} still under an old key: keep the old keys and run manage.py rotate_keys "
            "(again: a process that was not restarted yet may have stored one).",
            returncode=1,
        )
    if len(settings.CREDENTIAL_KEYS) > 1:
        console.print("Nothing is left under an old key: drop all keys but the first from CREDENTIAL_KEYS.")
    else:
        console.print("Nothing is left under an old key.")


def _secrets(number: int) -> str:
    return counted(number, "secret")
