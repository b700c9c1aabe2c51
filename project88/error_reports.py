"""What a report of an error may hold, on Django's page while developing and in mails to ADMINS: no secret."""

from __future__ import annotations

import re
from collections.abc import ItemsView
from pprint import pformat
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter

from partners.runsignup.redaction import redact

# 'name': 'value' as Python prints dictionaries, and the first of a list, as it prints what a form posted.
_NAMED_VALUE = re.compile(
    r"(?P<name>['\"][^'\"]*(?:secret|password|token)[^'\"]*['\"]: \[?)(?P<quote>['\"]).*?(?P=quote)", re.IGNORECASE
)
# A shorter text is part of too many words.
_SHORTEST_TYPED = 4


class _Shown:
    """A variable's text for a report, which prints what it gets."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


class ReporterFilter(SafeExceptionReporterFilter):
    """Django's own filter is off while DEBUG, and hides what a form posted only where a view asks for it; the admin
    asks for passwords only. This one is always on and hides the value of every name that looks like a secret's."""

    hidden_settings = re.compile(
        r"API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|COOKIE|SESSION|DATABASE_URL|EMAIL_URL|WEBHOOK|DEADMAN|RUNSIGNUP_REG",
        flags=re.IGNORECASE,
    )

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_post_parameters(self, request: HttpRequest | None) -> Any:
        if request is None:
            return {}
        shown = request.POST.copy()
        for name in shown:
            if self.hidden_settings.search(name):
                shown[name] = self.cleansed_substitute
        return shown

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: Any) -> ItemsView[str, Any]:
        typed = self._typed_secrets(request)
        variables = super().get_traceback_frame_variables(request, tb_frame)
        return {name: self._shown(name, value, typed) for name, value in variables}.items()

    def _typed_secrets(self, request: HttpRequest | None) -> list[str]:
        """A form hands what it got from function to function, under any name."""
        if request is None:
            return []
        return [
            value
            for name, values in request.POST.lists()
            if self.hidden_settings.search(name)
            for value in values
            if isinstance(value, str) and len(value) >= _SHORTEST_TYPED
        ]

    def _shown(self, name: str, value: Any, typed: list[str]) -> Any:
        if self.hidden_settings.search(name):
            return self.cleansed_substitute
        try:
            text = pformat(value)
        except Exception as error:
            return _Shown(f"(cannot be shown: {type(error).__name__})")
        for secret in typed:
            text = text.replace(secret, self.cleansed_substitute)
        return _Shown(_NAMED_VALUE.sub(rf"\g<name>'{self.cleansed_substitute}'", redact(text)))
