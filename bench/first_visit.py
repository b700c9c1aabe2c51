"""What a browser that was never here downloads for a page: the page, what it links to, and the parts it asks for."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client

_LINKED = re.compile(r'<(?:link|script|img)\b[^>]*?\b(?:href|src)="([^"]+)"')
# A part that comes by itself; "intersect" only when the reader gets there.
_LOADED = re.compile(r'hx-get="([^"]+)"[^>]*?hx-trigger="[^"]*\bload\b')


def first_visit_bytes(client: Client, url: str) -> int:
    """Gzipped, as the web server sends it. Raises LookupError for a static file that is not there."""
    page = client.get(url)
    body = b"".join(page) if page.streaming else page.content
    text = body.decode()
    parts = [client.get(part, headers={"HX-Request": "true"}).content for part in dict.fromkeys(_LOADED.findall(text))]
    linked = [_linked(client, path) for path in dict.fromkeys(_LINKED.findall(text))]
    return sum(gzipped_bytes(content) for content in [body, *parts, *linked])


def gzipped_bytes(content: bytes) -> int:
    return len(gzip.compress(content, compresslevel=6, mtime=0))


def _linked(client: Client, path: str) -> bytes:
    """A static file, or what the admin's own views make of its words."""
    static = "/" + settings.STATIC_URL.lstrip("/")
    if not path.startswith(static):
        return client.get(path).content
    found = finders.find(path.removeprefix(static))
    if not isinstance(found, str):
        raise LookupError(f"The page links to {path}, which is no static file.")
    return Path(found).read_bytes()
