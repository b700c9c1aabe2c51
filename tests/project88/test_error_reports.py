"""What Django's reports of an error show, on the page while developing and in the mail to ADMINS."""

from __future__ import annotations

import sys

import pytest
from django.test import RequestFactory
from django.views.debug import ExceptionReporter, get_default_exception_reporter_filter

from partners.secret import Secret
from project88.error_reports import ReporterFilter

TYPED = "typed-canary-81c2"
HELD = "held-canary-55d0"


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


def report(debug: bool, settings) -> str:
    settings.DEBUG = debug
    request = RequestFactory().post("/admin/x/?next=/", {"secret": TYPED, "name": "Ridgeline"})

    def clean(value: str) -> None:
        cleaned = {"new_secret": HELD, "name": "Ridgeline"}
        url = f"https://api.runsignup.com/rest/races?api_key=k&api_secret={HELD}"
        secret_text, wrapped, odd = HELD, Secret(HELD), Unprintable()
        raise ValueError(f"{len(cleaned)} {len(url)} {len(secret_text)} {bool(wrapped)} {type(odd)}")

    try:
        clean(request.POST["secret"])
    except ValueError:
        reporter = ExceptionReporter(request, *sys.exc_info())
        return reporter.get_traceback_html() + reporter.get_traceback_text()
    raise AssertionError


@pytest.mark.parametrize("debug", [True, False])
def test_a_report_shows_what_helps_and_no_secret(debug, settings):
    assert isinstance(get_default_exception_reporter_filter(), ReporterFilter)
    # This file's own lines, which a report quotes, name the constants only.
    said = report(debug, settings)
    assert TYPED not in said
    assert HELD not in said
    assert "Ridgeline" in said
    assert "https://api.runsignup.com/rest/races?…" in said
    assert "(cannot be shown: RuntimeError)" in said
