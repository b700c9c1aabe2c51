"""Secrets encrypted at rest: a model field that stores a Fernet token and hands out `Secret`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from partners.secret import Secret


class WrongEncryptionKey(ImproperlyConfigured):
    """A stored secret cannot be read with CREDENTIAL_KEYS: put back the key that wrote it."""


@lru_cache(maxsize=8)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(secret: Secret) -> str:
    return _fernet(tuple(settings.CREDENTIAL_KEYS)).encrypt(secret.reveal().encode()).decode()


def decrypt(token: str) -> Secret:
    """Raises WrongEncryptionKey instead of handing out the ciphertext, which would then be sent to the provider."""
    try:
        return Secret(_fernet(tuple(settings.CREDENTIAL_KEYS)).decrypt(token.encode()).decode())
    except InvalidToken:
        raise WrongEncryptionKey(
            "A stored API secret cannot be decrypted. Put the Fernet key that encrypted it back into CREDENTIAL_KEYS."
        ) from None


if TYPE_CHECKING:
    _SecretText = models.TextField[Secret, Secret]
else:
    _SecretText = models.TextField


class EncryptedField(_SecretText):
    """Text encrypted with CREDENTIAL_KEYS; the value in Python is a `Secret` ("" when nothing is stored)."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Secret | None:
        if value is None:
            return None
        return decrypt(value) if value else Secret("")

    def to_python(self, value: Any) -> Secret | None:
        if value is None or isinstance(value, Secret):
            return value
        return Secret(str(value))

    def get_prep_value(self, value: Any) -> str | None:
        secret = self.to_python(value)
        if secret is None:
            return None
        return encrypt(secret) if secret else ""

    def value_to_string(self, obj: models.Model) -> str:
        raise TypeError("Secrets are not serialised.")
