"""Faults 8 to 11 and 33 against a real server on this machine; traps 3, 32, 33 and 37."""

import gzip
import json
import logging
import time
import traceback
import zlib
from urllib.parse import parse_qs, urlsplit

import pytest

from partners import providers
from partners.runsignup.errors import ProviderError, Refused, Transient, Unexpected
from partners.runsignup.transport import HttpTransport
from partners.secret import Secret
from tests.factories import CredentialFactory
from tests.partners.runsignup.loopback import loopback

CANARY = "canary/secret+7f3a9b21"
REG_CANARY = "canary-registration-55c0"
GOOD = b'[{"event":{"event_id":1,"participants":[]},"participants":[]}]'
GIGA = b'{"races":[' + b" " * (20 * 1024 * 1024) + b"]}"


def transport_to(url, *, style="query", secret=CANARY, **more):
    given = {"call_seconds": 10.0, "reg": "12.token", "reg_secret": Secret(REG_CANARY)} | more
    return HttpTransport(base_url=url, api_key="key-1", api_secret=Secret(secret), key_style=style, **given)


def fetch(behaviour, **more):
    """The answer of one call to a server that behaves like this; closes everything."""
    with loopback(behaviour) as server:
        transport = transport_to(server.url, **more)
        try:
            return transport.get("/races", {"page": "1"}), server
        finally:
            transport.close()


def asked_of(server):
    path, headers = server.seen[0]
    return {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}, headers


def good(handler):
    handler.answer(GOOD)


def test_a_key_of_style_query_is_sent_in_the_query_and_json_is_asked_for():
    """Trap 3: without format=json the answer is XML. Trap 33: the caller registration goes along as a pair."""
    answer, server = fetch(good)
    query, headers = asked_of(server)
    assert query == {"page": "1", "format": "json", "api_key": "key-1", "api_secret": CANARY, "rsu_api_reg": "12.token"}
    assert headers["X-RSU-API-REG-SECRET"] == REG_CANARY
    assert "X-RSU-API-SECRET" not in headers
    assert (answer.status, answer.body) == (200, GOOD)


def test_a_key_of_style_header_keeps_the_secret_out_of_the_url():
    """Trap 32: what is in a URL ends in logs and proxies."""
    _answer, server = fetch(good, style="header")
    query, headers = asked_of(server)
    assert query == {"page": "1", "format": "json", "rsu_api_key": "key-1", "rsu_api_reg": "12.token"}
    assert headers["X-RSU-API-SECRET"] == CANARY


def test_without_a_caller_registration_nothing_of_it_is_sent():
    """Trap 33: a half pair fails every call."""
    for pair in ({"reg": "", "reg_secret": None}, {"reg": "12.token", "reg_secret": None}, {"reg": ""}):
        _answer, server = fetch(good, **pair)
        query, headers = asked_of(server)
        assert "rsu_api_reg" not in query
        assert "X-RSU-API-REG-SECRET" not in headers


def test_an_unknown_key_style_is_refused_at_once():
    with pytest.raises(ValueError, match="key style"):
        transport_to("http://127.0.0.1:1", style="oauth")


def test_the_calls_of_a_lane_share_one_connection():
    with loopback(good) as server:
        transport = transport_to(server.url)
        for _ in range(3):
            transport.get("/races", {})
        transport.close()
        assert (len(server.seen), server.connections) == (3, 1)


def test_headers_that_nobody_needs_do_not_pass():
    answer, _server = fetch(lambda h: h.answer(GOOD, Retry_After="7", Set_Cookie="a=b", Location=f"/?s={CANARY}"))
    assert set(answer.headers) <= {"date", "retry-after", "content-type"}
    assert answer.retry_after == 7.0
    assert abs(answer.server_time - time.time()) < 60


def test_a_gzipped_body_arrives_whole():
    packed = gzip.compress(GOOD * 5000)
    answer, server = fetch(lambda h: h.answer(packed, Content_Encoding="gzip"))
    assert answer.body == GOOD * 5000
    assert server.seen[0][1]["Accept-Encoding"] == "gzip"


def test_a_chunked_body_arrives_whole():
    def chunked(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in (GOOD[:10], GOOD[10:], b""):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))

    assert fetch(chunked)[0].body == GOOD


def drips_body(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.drip(b" " * 100000)


def drips_head(handler):
    handler.drip(b"HTTP/1.1 200 OK\r\nX-Filler: " + b"x" * 60000)


def drips_chunks(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.drip(b"1\r\nx\r\n" * 20000)


def says_nothing(handler):
    handler.server.over.wait(20)


@pytest.mark.parametrize("behaviour", [drips_body, drips_head, drips_chunks, says_nothing])
def test_a_call_ends_at_its_deadline_whatever_drips(behaviour):
    """Fault 8: a byte at a time never lets a read time out; the call has a deadline as a whole."""
    started = time.monotonic()
    with pytest.raises(Transient, match=r"not complete within 0\.4 seconds"):
        fetch(behaviour, call_seconds=0.4)
    assert 0.3 < time.monotonic() - started < 3


def test_a_host_that_takes_no_connection_is_unavailable():
    """Fault 8."""
    with loopback(good) as server:
        url = server.url
    transport = transport_to(url)
    with pytest.raises(Transient, match="no connection"):
        transport.get("/races", {})
    transport.close()


def cut_off_early(handler):
    handler.answer(GOOD[:20], length=len(GOOD))
    handler.close_connection = True


def no_length_cut_gzip(handler):
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(gzip.compress(GOOD * 50)[:-12])
    handler.close_connection = True


def cut_gzip(handler):
    handler.answer(gzip.compress(GOOD)[:-9], Content_Encoding="gzip")


def no_gzip_at_all(handler):
    handler.answer(GOOD, Content_Encoding="gzip")


def damaged_gzip(handler):
    packed = bytearray(gzip.compress(GOOD * 50))
    packed[-6] ^= 0xFF
    handler.answer(bytes(packed), Content_Encoding="gzip")


def unknown_encoding(handler):
    handler.answer(zlib.compress(GOOD), Content_Encoding="br")


def hangs_up(handler):
    handler.close_connection = True


def speaks_no_http(handler):
    handler.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")
    handler.close_connection = True


def endless_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(5000)) + b"\r\n")
    handler.close_connection = True


BROKEN = [
    cut_off_early,
    no_length_cut_gzip,
    cut_gzip,
    no_gzip_at_all,
    damaged_gzip,
    unknown_encoding,
    hangs_up,
    speaks_no_http,
    endless_headers,
]


@pytest.mark.parametrize("behaviour", BROKEN)
def test_an_answer_that_is_not_whole_is_refused_whole(behaviour):
    """Fault 9: truncated, wrong Content-Length, cut gzip."""
    with pytest.raises(Transient, match="RunSignUp is unavailable"):
        fetch(behaviour)


def test_a_connection_that_broke_is_not_used_again():
    answers = [cut_off_early, drips_body, good]
    with loopback(lambda handler: answers.pop(0)(handler)) as server:
        transport = transport_to(server.url, call_seconds=0.4)
        for _ in range(2):
            with pytest.raises(Transient):
                transport.get("/races", {})
        assert transport.get("/races", {}).body == GOOD
        transport.close()


def redirect(status, to):
    return lambda handler: handler.answer(b"moved", status=status, Location=to)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_never_follow_a_redirect(status):
    """Fault 10."""
    with loopback(good) as other:
        with pytest.raises(Transient, match="unavailable: it redirects"):
            fetch(redirect(status, f"{other.url}/login"))
        assert other.seen == []
    with pytest.raises(Transient, match="unavailable: it redirects"):
        fetch(redirect(status, "/rest/elsewhere"))


def streams_for_ever(handler):
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 65536)


def gzip_bomb(handler):
    handler.answer(gzip.compress(GIGA), Content_Encoding="gzip")


@pytest.mark.parametrize("behaviour", [streams_for_ever, gzip_bomb])
def test_a_body_that_is_too_large_is_not_read_to_its_end(behaviour):
    """Fault 11: counted while it streams, after unpacking."""
    with pytest.raises(Unexpected, match="larger than 2 MB"):
        fetch(behaviour, most_bytes=2 * 1024 * 1024)


def echoes(handler):
    query = parse_qs(urlsplit(handler.path).query)
    text = f"Bad key {query.get('api_secret', '')} {handler.path} {handler.headers['X-RSU-API-SECRET']}"
    handler.answer(json.dumps({"error": {"error_code": 6, "error_msg": text}}).encode().replace(b"/", b"\\/"))


@pytest.mark.parametrize("style", ["query", "header"])
def test_a_secret_that_the_provider_repeats_does_not_come_in(style):
    """Fault 33."""
    answer, _server = fetch(echoes, style=style)
    assert b"***" in answer.body
    for form in (CANARY, "canary%2Fsecret", "canary\\/secret", REG_CANARY):
        assert form.encode() not in answer.body


@pytest.mark.parametrize("style", ["query", "header"])
@pytest.mark.parametrize(
    "behaviour",
    [*BROKEN, says_nothing, drips_body, drips_head, redirect(302, f"/?s={CANARY}"), gzip_bomb],
)
def test_a_canary_secret_shows_up_in_no_failure(behaviour, style, caplog):
    """Fault 33, trap 32: not in text, repr, cause, local variables of the traceback, or the most talkative log."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ProviderError) as caught:
        fetch(behaviour, style=style, call_seconds=0.3, most_bytes=1024)
    assert_no_canary(caught.value, caplog)


@pytest.mark.parametrize(
    ("style", "secret"),
    [("header", f"{CANARY}\nX-Evil: 1"), ("header", f"{CANARY}–dash"), ("query", f"\ud800{CANARY}")],
)
def test_a_secret_that_cannot_be_sent_asks_a_person_and_is_not_shown(style, secret, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Refused, match="copy it again") as caught:
        fetch(good, style=style, secret=secret)
    assert caught.value.scope == "key"
    assert_no_canary(caught.value, caplog)


def test_no_log_line_of_a_good_call_shows_the_secret(caplog):
    """Trap 32: urllib3 logs the URL of every call at level DEBUG."""
    caplog.set_level(logging.DEBUG)
    fetch(good)
    assert "GET /rest/races?…" in caplog.text
    assert "canary" not in caplog.text


def assert_no_canary(error, caplog):
    assert error.__cause__ is None
    assert error.__context__ is None
    seen = [str(error), repr(error), repr(vars(error)), caplog.text]
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    ours = [frame for frame in frames if "/tests/" not in frame.filename]
    assert ours
    seen += [str(frame.locals) for frame in ours]
    seen += [str(vars(record)) for record in caplog.records]
    for text in seen:
        for form in ("canary", "7f3a9b21", "55c0", "key-1"):
            assert form not in text
    assert "//" not in str(error)


@pytest.mark.django_db
def test_a_stored_key_talks_with_the_host_of_the_settings(settings):
    """Trap 37: test and live sites have their own ids and keys; one installation talks with one of them."""
    credential = CredentialFactory(api_key="stored-key", api_secret=Secret(CANARY), key_style="header")
    with loopback(good) as server:
        settings.RUNSIGNUP_URL = server.url
        settings.RUNSIGNUP_REG, settings.RUNSIGNUP_REG_SECRET = "12.token", REG_CANARY
        transport = providers.make_transport(credential)
        transport.get("/races", {})
        transport.close()
        query, headers = asked_of(server)
    assert (query["rsu_api_key"], query["rsu_api_reg"]) == ("stored-key", "12.token")
    assert (headers["X-RSU-API-SECRET"], headers["X-RSU-API-REG-SECRET"]) == (CANARY, REG_CANARY)


def test_a_key_is_tried_without_being_stored(settings):
    with loopback(good) as server:
        settings.RUNSIGNUP_URL = server.url
        transport = providers.make_transport_for(api_key="tried", api_secret=Secret(CANARY), key_style="query")
        transport.get("/races", {})
        transport.close()
        assert asked_of(server)[0]["api_key"] == "tried"
        assert "canary" not in repr(transport)
