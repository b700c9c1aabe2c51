"""Which answer is which outcome: one row per HTTP status and per error code (contract §5.2).

What is not in the table is `Unexpected`: never "retry", never "empty".
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from partners.runsignup.answer import Answer
from partners.runsignup.errors import Gone, ProviderError, Refused, Scope, Throttled, Transient, Unexpected
from partners.runsignup.redaction import quote
from partners.runsignup.values import whole_number


@dataclass(frozen=True, slots=True)
class Outcome:
    kind: type[ProviderError]
    sentence: str
    # None: the scope is that of the question: the list of races asks about the key, everything else about a race.
    scope: Scope | None = None


# How the provider says that a key has made too many calls.
THROTTLED_CODE = 14
THROTTLED_STATUS = 429

_OUR_BUG = "RunSignUp does not understand what Project88 asked"

BY_CODE: dict[int, Outcome] = {
    1: Outcome(Unexpected, _OUR_BUG),
    2: Outcome(Unexpected, _OUR_BUG),
    3: Outcome(Unexpected, _OUR_BUG),
    4: Outcome(Transient, "RunSignUp had an error of its own"),
    5: Outcome(Transient, "RunSignUp had an error of its own"),
    6: Outcome(Refused, "RunSignUp does not accept this API key and secret: enter them again", "key"),
    7: Outcome(Refused, "RunSignUp gives this key no access: the race director must add the timing company"),
    8: Outcome(Unexpected, _OUR_BUG),
    9: Outcome(Unexpected, _OUR_BUG),
    10: Outcome(Unexpected, _OUR_BUG),
    11: Outcome(Unexpected, _OUR_BUG),
    13: Outcome(Refused, "RunSignUp wants a login that this API key does not have: use another key", "key"),
    THROTTLED_CODE: Outcome(Throttled, "RunSignUp asked this key to slow down"),
    15: Outcome(Gone, "RunSignUp does not know this id (any more)"),
    17: Outcome(
        Refused,
        "RunSignUp refuses the API caller registration: check RUNSIGNUP_REG and RUNSIGNUP_REG_SECRET",
        "key",
    ),
    201: Outcome(Gone, "RunSignUp does not know this race (any more)"),
    301: Outcome(Gone, "RunSignUp does not know this event (any more)"),
}

UNAVAILABLE = "RunSignUp is unavailable"
BY_STATUS: dict[int, Outcome] = {
    **{status: Outcome(Transient, f"{UNAVAILABLE}: it redirects elsewhere") for status in (301, 302, 303, 307, 308)},
    404: Outcome(Unexpected, "RunSignUp has no such page: the address in RUNSIGNUP_URL may be wrong"),
    THROTTLED_STATUS: Outcome(Throttled, "RunSignUp asked this key to slow down"),
    **{status: Outcome(Transient, UNAVAILABLE) for status in range(500, 600)},
}
UNKNOWN = Outcome(Unexpected, "RunSignUp gave an answer that Project88 does not know")


def by_status(answer: Answer) -> ProviderError:
    """The outcome of an answer that is not 200 and carries no error of the API."""
    row = BY_STATUS.get(answer.status, UNKNOWN)
    if answer.status == 503 and answer.retry_after is not None:
        # Without Retry-After a 503 is an outage like any other; with it the provider says when to come back.
        row = BY_STATUS[THROTTLED_STATUS]
    return _outcome(row, answer, asked="race")


def by_error(error: bytes, answer: Answer, *, asked: Scope) -> ProviderError:
    """The outcome of an answer with an `error` member, whatever its HTTP status: `error` is that member's JSON."""
    try:
        member = msgspec.json.decode(error)
    except (ValueError, RecursionError):
        member = None
    if not isinstance(member, dict):
        # The OAuth endpoints put a text here (contract §5.1); we use none of them.
        return _outcome(UNKNOWN, answer, asked=asked, words=quote(member))
    code = whole_number(member.get("error_code"))
    row = BY_CODE.get(code) if code is not None else None
    if row is None:
        row = BY_STATUS.get(answer.status, UNKNOWN)
    return _outcome(row, answer, asked=asked, code=code, words=quote(member.get("error_msg")))


def _outcome(row: Outcome, answer: Answer, *, asked: Scope, code: int | None = None, words: str = "") -> ProviderError:
    source = f"error {code}" if code is not None else f"HTTP {answer.status}"
    text = f"{row.sentence} ({source}: {words.rstrip('.')})." if words else f"{row.sentence} ({source})."
    if row.kind is Refused:
        return Refused(text, scope=row.scope or asked, code=code, http_status=answer.status, provider_text=words)
    if row.kind is Throttled:
        return Throttled(
            text,
            retry_after=answer.retry_after,
            of_key=code == THROTTLED_CODE or answer.status == THROTTLED_STATUS,
            code=code,
            http_status=answer.status,
            provider_text=words,
        )
    return row.kind(text, code=code, http_status=answer.status, provider_text=words)
