"""The web server's log never has the token of a share link, nor of a link to set a password."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

from gunicorn.config import Config

from project88.access_log import AccessLogger
from project88.share_tokens import without_share_tokens

TOKEN = "Zr4-uM_0aVb9c8d7e6f5g4h3i2j1k0lmnopqrstuvwx"


def test_a_request_for_a_share_is_logged_without_its_token():
    path = f"/share/{TOKEN}/live/"
    request = SimpleNamespace(headers=[("REFERER", f"http://testserver/share/{TOKEN}/")])
    environ = {"REQUEST_METHOD": "GET", "RAW_URI": path, "PATH_INFO": path, "SERVER_PROTOCOL": "HTTP/1.1"}
    response = SimpleNamespace(status="200 OK", headers=[], sent=12)

    atoms = AccessLogger(Config()).atoms(response, request, environ, timedelta(seconds=1))

    assert atoms["r"] == "GET /share/…/live/ HTTP/1.1"
    assert not any(TOKEN in str(value) for value in atoms.values())


def test_a_link_to_set_a_password_is_logged_without_its_token():
    assert without_share_tokens(f"GET /password/set/Mw/dik022-{TOKEN}/ HTTP/1.1") == "GET /password/set/Mw/…/ HTTP/1.1"
