"""The second factor of staff: a code of an authenticator app, or one of ten recovery codes.

django-otp keeps the devices, checks the codes and makes whoever guesses wait twice as long after each one.
"""

from __future__ import annotations

import secrets
from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import segno
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.crypto import salted_hmac
from django.utils.safestring import SafeString
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from partners.rights import is_staff

RECOVERY_CODES = 10
# Base 32 in small letters: nobody confuses 0 with O or 1 with l.
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
CODE_LENGTH = 12
DIGITS = 6
# Each wrong code doubles the wait, up to 8 min 32 s: whoever has the password must not lock the owner out for days.
MOST_COUNTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """`device` when the code was right; `locked_until` when it was not even tried."""

    device: TOTPDevice | StaticDevice | None = None
    locked_until: datetime | None = None


def may_have_one(user: Any) -> bool:
    """Staff; others see so little that nobody asks them for a code."""
    return is_staff(user)


def is_required(user: Any) -> bool:
    return bool(settings.REQUIRE_SECOND_FACTOR) and may_have_one(user)


def is_on(user: Any) -> bool:
    return TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).exists()


def is_asked(user: Any) -> bool:
    """`is_on` as it was when the request loaded its user."""
    known: bool | None = getattr(user, "has_second_factor", None)
    return is_on(user) if known is None else known


class PasswordBackend(ModelBackend):
    """Django's, which also loads whether the user has a second factor: alone, that would cost each page a query."""

    def get_user(self, user_id: int) -> Any:
        on = TOTPDevice.objects.filter(user_id=OuterRef("pk"), confirmed=True)
        user = get_user_model()._default_manager.filter(pk=user_id).annotate(has_second_factor=Exists(on)).first()
        return user if user and self.user_can_authenticate(user) else None


def begun(user: Any) -> TOTPDevice | None:
    """The device whose first code has not been typed yet."""
    return TOTPDevice.objects.filter(user_id=user.pk, confirmed=False).order_by("-pk").first()


@transaction.atomic
def second_factor_begin(*, user: Any) -> None:
    """A new key to scan. Nothing is asked for at the login before its first code was right."""
    TOTPDevice.objects.filter(user_id=user.pk, confirmed=False).delete()
    TOTPDevice.objects.create(user=user, name="Authenticator app", confirmed=False)


@transaction.atomic
def second_factor_confirm(*, user: Any, code: str) -> tuple[Checked, list[str]]:
    """Switches it on when `code` is the app's; then with the recovery codes, which are never shown again."""
    device = TOTPDevice.objects.select_for_update().filter(user_id=user.pk, confirmed=False).order_by("-pk").first()
    if device is None or is_on(user):
        return Checked(), []
    checked = _checked(device, _plain(code))
    if checked.device is None:
        return checked, []
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    return checked, recovery_codes_make(user=user)


@transaction.atomic
def second_factor_check(*, user: Any, code: str) -> Checked:
    """Six digits are the app's, everything else a recovery code, which is used up when it is right."""
    code = _plain(code)
    if code.isdigit() and len(code) == DIGITS:
        # Locked, so that one code is not good for two requests at once.
        totp = TOTPDevice.objects.select_for_update().filter(user_id=user.pk, confirmed=True).first()
        return _checked(totp, code) if totp else Checked()
    static = StaticDevice.objects.select_for_update().filter(user_id=user.pk, confirmed=True).first()
    return _checked(static, _fingerprint(code)) if static else Checked()


def _checked(device: TOTPDevice | StaticDevice, token: str) -> Checked:
    allowed, why = device.verify_is_allowed()
    if not allowed:
        return Checked(locked_until=(why or {}).get("locked_until"))
    if device.verify_token(token):
        return Checked(device=device)
    if device.throttling_failure_count > MOST_COUNTED:
        device.throttling_failure_count = MOST_COUNTED
        device.save(update_fields=["throttling_failure_count"])
    return Checked()


@transaction.atomic
def recovery_codes_make(*, user: Any) -> list[str]:
    """Ten new codes in place of the old ones. Only their fingerprints are stored."""
    device, _made = StaticDevice.objects.get_or_create(user=user, defaults={"name": "Recovery codes"})
    device.token_set.all().delete()
    codes = ["".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH)) for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create([StaticToken(device=device, token=_fingerprint(code)) for code in codes])
    return ["-".join(code[at : at + 4] for at in range(0, CODE_LENGTH, 4)) for code in codes]


def recovery_codes_left(user: Any) -> int:
    return StaticToken.objects.filter(device__user_id=user.pk).count()


@transaction.atomic
def second_factor_forget(*, user: Any) -> bool:
    """Off: the next login asks for the password only. False when there was none."""
    StaticDevice.objects.filter(user_id=user.pk).delete()
    return TOTPDevice.objects.filter(user_id=user.pk).delete()[0] > 0


def qr_code(device: TOTPDevice) -> SafeString:
    """What an app scans, as SVG without a style. Black on white in both themes: cameras want it so."""
    code = segno.make(device.config_url, error="m")
    svg: str = code.svg_inline(omitsize=True, border=3, light="#fff", svgclass="qr", lineclass=None)
    return SafeString(svg)


def key_in_words(device: TOTPDevice) -> str:
    """The key for typing it in, in groups of four."""
    key = b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(key[at : at + 4] for at in range(0, len(key), 4))


def _plain(code: str) -> str:
    return "".join(code.split()).replace("-", "").lower()


def _fingerprint(code: str) -> str:
    """16 characters, as many as django-otp stores. Keyed: whoever reads the database cannot try codes on it."""
    return salted_hmac("recovery-code", code, algorithm="sha256").hexdigest()[:16]
