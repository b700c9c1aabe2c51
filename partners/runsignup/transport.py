"""The only network I/O with RunSignUp, and the only place where a secret is opened (contract §1; faults 8 to 11, 33).

No exception leaves with a URL, a key or a secret: in its text, its cause, or the local variables of its traceback.
Therefore the function that holds them returns a failure instead of raising it.
"""

from __future__ import annotations

import dataclasses
import http.client
import io
import json
import logging
import time
import zlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from partners.runsignup.answer import Answer
from partners.runsignup.errors import ProviderError, Refused, Transient, Unexpected
from partners.runsignup.outcomes import UNAVAILABLE
from partners.runsignup.redaction import RedactingFilter
from partners.secret import Secret

CONNECT_SECONDS = 5.0
# The gate frees the place of a call 40 s after its debit: a call must be over by then.
CALL_SECONDS = 30.0
# Decompressed. A page of 1,000 participants is 2 MB; races bring their descriptions along.
MOST_BYTES = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_KEPT_HEADERS = ("date", "retry-after", "content-type")
# A shorter "secret" might be part of ordinary data.
_SHORTEST_ECHO = 8
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

for _name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry", "urllib3.response"):
    logging.getLogger(_name).addFilter(RedactingFilter())

# When the running call has to be over (monotonic). A context variable, because requests and urllib3 lie in between.
_call_ends: ContextVar[float] = ContextVar("call_ends")


class _BoundedReader(io.RawIOBase):
    """Reads a socket; no read waits longer than the call may last.

    A time-out of requests starts anew with every byte, so a body that drips would hold its worker for hours.
    """

    def __init__(self, inner: Any, sock: Any) -> None:
        self._inner = inner
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = _call_ends.get() - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call has lasted too long")
        self._sock.settimeout(left)
        return self._inner.readinto(buffer)

    def close(self) -> None:
        self._inner.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_BoundedReader(self.fp.detach(), sock))


class _HTTPConnection(urllib3.connection.HTTPConnection):
    response_class = _BoundedResponse


class _HTTPSConnection(urllib3.connection.HTTPSConnection):
    response_class = _BoundedResponse


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


class _TooLarge(Exception):
    pass


class _Broken(Exception):
    pass


class HttpTransport:
    """Calls RunSignUp with one key over one kept-alive connection. Not for several threads at once.

    `key_style` "query": api_key + api_secret; "header": rsu_api_key + X-RSU-API-SECRET. `reg` and `reg_secret` are the
    API caller registration, both or neither. Proxies and .netrc of the environment are not used.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        api_secret: Secret,
        key_style: str,
        reg: str = "",
        reg_secret: Secret | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        call_seconds: float = CALL_SECONDS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        if key_style not in {"query", "header"}:
            raise ValueError(f"Unknown key style {key_style!r}: query or header.")
        parts = urlsplit(base_url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError("Keys are sent by https only, but to the sandbox on this machine.")
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._api_secret = api_secret
        self._key_style = key_style
        self._reg = reg
        self._reg_secret = reg_secret or Secret("")
        self._connect_seconds = connect_seconds
        self._call_seconds = call_seconds
        self._most_bytes = most_bytes
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip"})
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, _Adapter(pool_maxsize=1, max_retries=0))

    def get(self, path: str, params: Mapping[str, str]) -> Answer:
        """One call. Raises Transient when no whole answer came, Refused when the key cannot be sent at all."""
        outcome = self._exchange(path, params)
        if isinstance(outcome, ProviderError):
            raise outcome
        return outcome

    def close(self) -> None:
        self._session.close()

    def _exchange(self, path: str, params: Mapping[str, str]) -> Answer | ProviderError:
        """The only function that opens secrets. It never raises: a traceback would show its variables."""
        secret, reg_secret = self._api_secret.reveal(), self._reg_secret.reveal()
        query = {**params, "format": "json"}
        headers = {}
        if self._key_style == "query":
            query |= {"api_key": self._api_key, "api_secret": secret}
        else:
            query["rsu_api_key"] = self._api_key
            headers["X-RSU-API-SECRET"] = secret
        if self._reg and reg_secret:
            query["rsu_api_reg"] = self._reg
            headers["X-RSU-API-REG-SECRET"] = reg_secret
        started = _call_ends.set(time.monotonic() + self._call_seconds)
        try:
            answer = self._fetch(f"{self._base_url}{path}", query, headers)
            if answer.status in _REDIRECTS:
                return Transient(f"{UNAVAILABLE}: it redirects elsewhere.", http_status=answer.status)
            return dataclasses.replace(
                answer, body=_without_echo(answer.body, (secret, reg_secret, self._api_key, self._reg))
            )
        except Exception as error:
            return self._failure(error)
        finally:
            _call_ends.reset(started)

    def _fetch(self, url: str, query: dict[str, str], headers: dict[str, str]) -> Answer:
        with self._session.get(
            url,
            params=query,
            headers=headers,
            timeout=(min(self._connect_seconds, self._call_seconds), self._call_seconds),
            # The credentials must not follow to another host; requests would send the query and our headers along.
            allow_redirects=False,
            stream=True,
        ) as response:
            body = self._body(response) if response.status_code not in _REDIRECTS else b""
            kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
            return Answer(status=response.status_code, headers=kept, body=body)

    def _body(self, response: requests.Response) -> bytes:
        pieces = bytearray()
        for piece in _decompressed(response, most=self._most_bytes):
            pieces += piece
            if len(pieces) > self._most_bytes:
                raise _TooLarge
        return bytes(pieces)

    def _failure(self, error: Exception) -> ProviderError:
        """A sentence of our own for each way to fail: the library's text names the URL."""
        match error:
            case _TooLarge():
                limit = self._most_bytes // (1024 * 1024)
                return Unexpected(f"RunSignUp's answer was larger than {limit} MB and was not read.")
            case requests.exceptions.InvalidHeader() | UnicodeError():
                return Refused("The API key or secret has characters that cannot be sent: copy it again.", scope="key")
            case requests.ConnectTimeout():
                return Transient(f"{UNAVAILABLE}: it took no connection within {self._connect_seconds:g} seconds.")
            case requests.Timeout() | urllib3.exceptions.TimeoutError() | TimeoutError():
                return Transient(f"{UNAVAILABLE}: its answer was not complete within {self._call_seconds:g} seconds.")
            case requests.exceptions.SSLError():
                return Transient(f"{UNAVAILABLE}: the secure connection failed (certificate).")
            case _Broken() | urllib3.exceptions.ProtocolError() | zlib.error():
                return Transient(f"{UNAVAILABLE}: its answer was cut off or damaged.")
            case requests.ConnectionError():
                return Transient(f"{UNAVAILABLE}: there was no connection, or it broke.")
            case requests.RequestException() | urllib3.exceptions.HTTPError() | OSError() | http.client.HTTPException():
                return Transient(f"{UNAVAILABLE}: the call failed.")
        return Unexpected(f"The call to RunSignUp failed inside Project88 ({type(error).__name__}).")

    def __repr__(self) -> str:
        return f"HttpTransport(key_style={self._key_style!r})"


_REDIRECTS = range(300, 400)


def _decompressed(response: requests.Response, *, most: int) -> Iterator[bytes]:
    """The body piece by piece, each at most a chunk, also of a body that unpacks to a thousand times its size.

    Unpacked here, because urllib3 takes a gzip body that was cut off for a whole one.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip", ""}:
        raise _Broken
    packed = iter(lambda: response.raw.read(_CHUNK, decode_content=False), b"")
    if encoding in {"identity", ""}:
        yield from packed
        return
    unpacker = zlib.decompressobj(wbits=31)
    received = 0
    for data in packed:
        received += len(data)
        if received > most:
            raise _TooLarge
        while data and not unpacker.eof:
            yield unpacker.decompress(data, _CHUNK)
            data = unpacker.unconsumed_tail
    if not unpacker.eof and received:
        raise _Broken


def _without_echo(body: bytes, secrets: tuple[str, ...]) -> bytes:
    """A provider that repeats a secret or key in its error text must not bring it into our pages and logs."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_ECHO:
            in_json = json.dumps(secret)[1:-1]
            for form in (secret, in_json, in_json.replace("/", r"\/"), quote(secret, safe="")):
                body = body.replace(form.encode(), b"***")
    return body
