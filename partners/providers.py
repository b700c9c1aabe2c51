"""Which transport talks with which provider. Everything that calls a provider gets its transport here."""

from __future__ import annotations

from django.conf import settings

from partners.models import Credential
from partners.runsignup.answer import Transport
from partners.runsignup.transport import HttpTransport
from partners.secret import Secret

__all__ = ["Transport", "make_transport", "make_transport_for"]


def make_transport(credential: Credential) -> Transport:
    """A transport with the key of a stored credential. The caller closes it."""
    return make_transport_for(
        api_key=credential.api_key, api_secret=credential.api_secret, key_style=credential.key_style
    )


def make_transport_for(*, api_key: str, api_secret: Secret, key_style: str) -> Transport:
    """A transport with a key that need not be stored: "test this key". The caller closes it."""
    return HttpTransport(
        base_url=settings.RUNSIGNUP_URL,
        api_key=api_key,
        api_secret=api_secret,
        key_style=key_style,
        reg=settings.RUNSIGNUP_REG,
        reg_secret=Secret(settings.RUNSIGNUP_REG_SECRET),
    )
