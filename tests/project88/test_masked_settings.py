"""Settings that are secrets do not show themselves."""

from __future__ import annotations

import io
import pprint

from django.core.management import call_command
from django.db import connection

from project88.masked_text import MaskedText


def test_a_masked_text_is_its_text_and_prints_as_nothing():
    secret = MaskedText("hunter2-hunter2")
    assert secret == "hunter2-hunter2"
    assert f"postgresql://me:{secret}@db" == "postgresql://me:hunter2-hunter2@db"
    shown = f"{[secret]} { ({'password': secret}) } {pprint.pformat({'keys': [secret]})}"
    assert "hunter2" not in shown
    assert repr(MaskedText("")) == "''"


def test_diffsettings_shows_no_secret(settings):
    out = io.StringIO()
    call_command("diffsettings", "--all", stdout=out)
    said = out.getvalue()
    assert "SECRET_KEY = '***'" in said
    assert "CREDENTIAL_KEYS = ['***'" in said
    for secret in (settings.SECRET_KEY, *settings.CREDENTIAL_KEYS):
        assert secret not in said
    for name in ("RUNSIGNUP_REG_SECRET", "SECRET_KEY", "EMAIL_HOST_PASSWORD"):
        assert isinstance(getattr(settings, name), MaskedText)
    assert isinstance(settings.DATABASES["default"]["PASSWORD"], MaskedText)
    assert connection.settings_dict["USER"]
