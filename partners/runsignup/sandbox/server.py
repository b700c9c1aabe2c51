"""The sandbox over HTTP/1.1 with keep-alive, on loopback."""

from __future__ import annotations

import ipaddress
import selectors
import socket
import sys
import threading
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, cast
from urllib.parse import urlsplit

from partners.runsignup.sandbox.answers import Question, read_question
from partners.runsignup.sandbox.control import Control, ControlError
from partners.runsignup.sandbox.faults import Fault
from partners.runsignup.sandbox.life_thread import LifeThread
from partners.runsignup.sandbox.responses import HTML, NOT_FOUND, Response, respond
from partners.runsignup.sandbox.rows import to_json
from partners.runsignup.sandbox.world import World

# A kept-alive connection that asks nothing for so long is closed: nginx's default, and longer than a cycle of a minute.
_IDLE_SECONDS = 75.0
_LARGEST_BODY = 10_000_000


class SandboxServer:
    """Answers for a world from `start` (or `with`) to `stop`. `latency` is added to every call, in seconds.

    Raises ValueError for a host that is not this machine; `start` raises OSError where the port is taken.
    """

    def __init__(
        self, world: World, *, host: str = "127.0.0.1", port: int = 0, latency: float = 0.0, life: float = 0.0
    ) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"The sandbox has no passwords of its own and answers only on loopback, not on {host}.")
        self.world = world
        self.life = LifeThread(world, life)
        # May be set at any time: the next call takes so long.
        self.latency = latency
        self._address = (host, port)
        self._http: _Server | None = None
        self._thread = threading.Thread(target=self._serve, name="sandbox-http", daemon=True)

    @property
    def root(self) -> str:
        """`http://127.0.0.1:PORT`; the port is known from `start` on where any free one will do."""
        host, port = self._address if self._http is None else self._http.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    @property
    def url(self) -> str:
        """The base of the API, as RUNSIGNUP_URL takes it."""
        return f"{self.root}/rest"

    def start(self) -> SandboxServer:
        self._http = _Server(
            self._address, world=self.world, control=Control(self.world, self.life), latency=lambda: self.latency
        )
        self.life.start()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering and close every connection; calls that wait or drip are cut. Harmless before `start`."""
        if self._http is None:
            return
        self.life.stop()
        self._http.shutdown()
        self._thread.join()
        self._http.close_connections()
        self._http.server_close()

    def _serve(self) -> None:
        if self._http is not None:
            self._http.serve_forever(poll_interval=0.05)

    def __enter__(self) -> SandboxServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A whole cluster connects at once.
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], *, world: World, control: Control, latency: Callable[[], float]
    ) -> None:
        self.world = world
        self.control = control
        self.latency = latency
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def opened(self, connection: socket.socket) -> None:
        with self._changed:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._changed:
            self._connections.discard(connection)
            self._changed.notify_all()

    def close_connections(self) -> None:
        """Wake every handler that reads, waits or drips, and wait until all have left."""
        self.stopping.set()
        with self._changed:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # its client was quicker
            self._changed.wait_for(lambda: not self._connections, timeout=10)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the play; anything else is printed."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "nginx"
    sys_version = ""
    timeout = _IDLE_SECONDS
    # The last byte of a body is a packet of its own (see _send).
    disable_nagle_algorithm = True

    @property
    def _sandbox(self) -> _Server:
        return cast(_Server, self.server)

    def setup(self) -> None:
        super().setup()
        self._sandbox.opened(self.connection)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self._sandbox.closed(self.connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the standard library's
        """Quiet: query strings carry keys, and the ledger remembers every call."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self._sandbox.world.now() if timestamp is None else timestamp, usegmt=True)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path.startswith("/sandbox/"):
            self._control(lambda: self._sandbox.control.get(url.path, url.query))
            return
        question = read_question(url.path, url.query, cast(Any, self.headers))
        if question is None:
            self._send(Response(status=404, content_type=HTML, body=NOT_FOUND))
            return
        self._call(question)

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _LARGEST_BODY:
            self.close_connection = True
            self._send(Response(status=413, body=b'{"error":"The body has no length or is too long."}'))
            return
        body = self.rfile.read(int(length))
        if url.path.startswith("/sandbox/"):
            self._control(lambda: self._sandbox.control.post(url.path, body))
            return
        self._send(Response(body=b'{"error":{"error_code":2,"error_msg":"HTTP method not supported"}}'))

    def _control(self, act: Any) -> None:
        try:
            self._send(Response(body=to_json(act())))
        except ControlError as error:
            self._send(Response(status=error.status, body=to_json({"error": str(error)})))

    def _call(self, question: Question) -> None:
        """One call of the API: into the ledger before anything, out of it before the caller has the whole answer."""
        world = self._sandbox.world
        key = world.keys.get(question.key)
        call = world.ledger.begin(
            key=question.key,
            endpoint=question.endpoint,
            race_id=question.race_id,
            hourly_limit=key.hourly_limit if key else None,
        )
        outcome = "abandoned"
        try:
            fault = None if call.throttled else self._fault(question)
            if not self._wait(self._sandbox.latency() + (fault.delay if fault else 0.0)):
                self.close_connection = True
                return
            if fault is not None and fault.drop:
                outcome = fault.name
                self.close_connection = True
                return
            response = respond(
                world,
                question,
                throttled=call.throttled,
                fault=fault,
                gzip_accepted="gzip" in self.headers.get("Accept-Encoding", ""),
            )
            outcome = response.outcome
            self._send(response, before_last_byte=lambda: world.ledger.end(call, response.outcome))
        finally:
            world.ledger.end(call, outcome)

    def _fault(self, question: Question) -> Fault | None:
        return self._sandbox.world.faults.take(
            endpoint=question.endpoint, key=question.key, race_id=question.race_id, event_ids=question.event_ids
        )

    def _wait(self, seconds: float) -> bool:
        """Let time pass; False if the caller hung up (then it no longer counts as open) or the sandbox stops."""
        if seconds <= 0:
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            if not selector.select(seconds):
                return True
        return bool(self.connection.recv(1, socket.MSG_PEEK)) and not self._sandbox.stopping.wait(seconds)

    def _send(self, response: Response, before_last_byte: Any = None) -> None:
        """Everything but the last byte, then the ledger, then the last byte.

        A caller that has the whole answer and asks again at once must not be counted as two.
        """
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body) if response.declared is None else response.declared))
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.declared is not None:
            self.close_connection = True
        if self.close_connection:
            self.send_header("Connection", "close")
        if not response.body and before_last_byte:
            before_last_byte()
        self.end_headers()
        body = memoryview(response.body)
        if response.drip is not None:
            self._drip(body[:-1], response.drip)
        else:
            self.wfile.write(body[:-1])
        if before_last_byte:
            before_last_byte()
        self.wfile.write(body[-1:])

    def _drip(self, body: memoryview, seconds: float) -> None:
        for position in range(len(body)):
            self.wfile.write(body[position : position + 1])
            if not self._wait(seconds):
                raise ConnectionAbortedError
