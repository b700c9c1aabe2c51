"""What the tests of the provider share: answers from the examples or made up, and a transport that replays them."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from partners.runsignup.answer import Answer
from partners.runsignup.client import RunSignUpClient

EXAMPLES = Path(__file__).parent / "examples"


def body(name: str) -> bytes:
    return (EXAMPLES / f"{name}.json").read_bytes()


def example(name: str) -> Any:
    return json.loads(body(name))


def answer(content: Any, *, status: int = 200, **headers: str) -> Answer:
    """`content` as bytes, or anything else as JSON; header names with underscores."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=raw)


def participant(registration_id: Any = 7000002, event_id: Any = 990101, **changes: Any) -> dict[str, Any]:
    """The first person of the examples with another id; `user` is merged, everything else replaced."""
    row = copy.deepcopy(example("participants_one_event")[0]["participants"][0])
    row["user"] |= changes.pop("user", {})
    return row | {"registration_id": registration_id, "event_id": event_id} | changes


def page(*rows: Any, event_id: int = 990101) -> list[dict[str, Any]]:
    return [{"event": {"event_id": event_id, "participants": []}, "participants": list(rows)}]


def removed(*rows: Any, event_id: int = 990101) -> list[dict[str, Any]]:
    return [{"event": {"event_id": event_id, "participants": list(rows)}}]


class ReplayTransport:
    """Gives the answers in turn (the last one for ever) and keeps what it was asked. An exception is raised."""

    def __init__(self, answers: Iterable[Answer | Exception]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, str]]] = []

    def get(self, path: str, params: Mapping[str, str]) -> Answer:
        self.asked.append((path, dict(params)))
        given = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(given, Exception):
            raise given
        return given

    def close(self) -> None:
        pass


def client(*answers: Answer | Exception | Any) -> RunSignUpClient:
    """A client whose transport gives these answers; anything that is no answer becomes one as JSON."""
    ready = [one if isinstance(one, Answer | Exception) else answer(one) for one in answers]
    return RunSignUpClient(transport=ReplayTransport(ready), gate=contextlib.nullcontext)


def asked(of: RunSignUpClient) -> list[tuple[str, dict[str, str]]]:
    return of._transport.asked  # type: ignore[attr-defined]
