"""Links that let somebody in, in logs: whoever reads a log must not get into a race's page or an account by it."""

from __future__ import annotations

import re

# A share link; and the link of an invitation or a forgotten password, of which the first part only names the account.
_LINK = re.compile(r"(/share/|/password/set/[\w-]+/)[\w-]{8,}")


def without_share_tokens(text: str) -> str:
    return _LINK.sub(r"\1…", text)
