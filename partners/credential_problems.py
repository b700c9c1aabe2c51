"""What is wrong with a key, in one sentence for the person who entered it, which says what to do."""

from __future__ import annotations

import math

from partners.gate import NoBudget
from partners.runsignup.errors import ProviderError, Refused, Throttled, Transient

# The provider's error codes (contract §5.2).
KEY_UNKNOWN = 6
PERMISSION_DENIED = 7
CALLER_UNKNOWN = 17
# What paging.public_catalogue says; nothing else tells it from other unknown answers.
CATALOGUE = "public catalogue"


class CredentialProblem(Exception):
    """The key was not stored or not confirmed. `text` is the sentence; `field` names the input it is about, "" when
    it is none of them; `refused` when it is the provider's word on this key; `unknown_key` when the provider knows no
    such key where it was sent; `verdict` is what it is in few words."""

    def __init__(
        self,
        text: str,
        *,
        field: str = "",
        refused: bool = False,
        unknown_key: bool = False,
        verdict: str = "Not tested",
    ) -> None:
        super().__init__(text)
        self.text = text
        self.field = field
        self.refused = refused
        self.unknown_key = unknown_key
        self.verdict = verdict


class InvalidEntry(CredentialProblem):
    """What was entered cannot be stored whatever the provider says; the provider was not asked."""


def credential_problem(error: ProviderError | NoBudget) -> CredentialProblem:
    """The sentence for an outcome of a call that tested a key."""
    match error:
        case NoBudget():
            return CredentialProblem(f"Not tested: {error.reason}. Try again in {_wait(error.wait)}.")
        case Throttled():
            wait = _wait(error.retry_after or 60)
            text = f"Not tested: RunSignUp asks this key to slow down. Try again in {wait}."
            return CredentialProblem(text, verdict="Throttled")
        case Refused(code=code) if code == CALLER_UNKNOWN:
            return CredentialProblem(
                "Not tested: RunSignUp refuses this installation, not the key (error 17). Set RUNSIGNUP_REG and "
                "RUNSIGNUP_REG_SECRET to the API caller registration of RunSignUp's page “API Keys”.",
                verdict="Caller registration refused",
            )
        case Refused():
            return _refusal(error)
        case Transient():
            return CredentialProblem(
                f"Not tested: {error.text} Try again in a minute; if it stays so, check the network and RUNSIGNUP_URL.",
                verdict="RunSignUp not reached",
            )
    if CATALOGUE in error.text:
        text = f"{error.text} Use the API key of the timing company's own account."
        return CredentialProblem(text, field="api_key", unknown_key=True, verdict="Not a timing company's key")
    return CredentialProblem(f"Not tested: {error.text}")


def _refusal(error: Refused) -> CredentialProblem:
    if error.code == KEY_UNKNOWN:
        text = (
            "RunSignUp does not accept this key and secret (error 6): copy both again from RunSignUp's page “API Keys” "
            "and check that the key style is the one of this key."
        )
        return CredentialProblem(
            text, field="api_secret", refused=True, unknown_key=True, verdict="Wrong key or secret"
        )
    if error.code == PERMISSION_DENIED:
        text = (
            "RunSignUp gives this key no access (error 7): use the API key of the timing company's own account, and "
            "have the race directors add the company to their races."
        )
        return CredentialProblem(text, field="api_key", refused=True, verdict="No access")
    return CredentialProblem(error.text, field="api_key", refused=True, verdict="Refused")


def _wait(seconds: float) -> str:
    minutes = max(1, math.ceil(seconds / 60))
    return "a minute" if minutes == 1 else f"{minutes} minutes"
