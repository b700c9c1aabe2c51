"""Who is at the other end: a client's address, told by proxies that are known and by nobody else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse

logger = logging.getLogger(__name__)

FORWARDED = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PROTO",
)
# A subscriber of IPv6 has at least so many addresses: to count them one by one would count nothing.
ONE_SUBSCRIBER = 64

Address = IPv4Address | IPv6Address


class TrustedProxiesMiddleware:
    """Takes `X-Forwarded-…` out of requests that do not come from a trusted proxy, before anybody believes it.

    Stands first: Django decides by X-Forwarded-Proto whether a request was encrypted.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._told = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not _is_trusted(_peer(request)):
            ignored = [name for name in FORWARDED if request.META.pop(name, None) is not None]
            if ignored and not self._told:
                # Once per process: who is refused here may send as many as they like.
                self._told = True
                logger.warning(
                    "Forwarding headers ignored: this peer is not in TRUSTED_PROXIES",
                    extra={"action": "proxy_not_trusted", "peer": request.META.get("REMOTE_ADDR", "")},
                )
        return self.get_response(request)


def client_address(request: HttpRequest) -> str:
    """The client's address as text, "" when there is none (a Unix socket without a proxy's word).

    Read from the right: each trusted proxy wrote down who it was talking to, and what stands further left of the
    first address that is no trusted proxy was sent by that client, who may write anything.
    """
    address = _peer(request)
    for word in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        if not _is_trusted(address):
            break
        named = _parsed(word)
        if named is None:
            break
        address = named
    return "" if address is None else str(address)


def throttle_address(request: HttpRequest) -> str | None:
    """What counts as one address when failed logins are counted: of IPv6 the network of a subscriber."""
    text = client_address(request)
    if not text:
        return None
    address = ip_address(text)
    if address.version == 6:
        return str(ip_network((address, ONE_SUBSCRIBER), strict=False).network_address)
    return text


def _peer(request: HttpRequest) -> Address | None:
    return _parsed(request.META.get("REMOTE_ADDR", ""))


def _is_trusted(address: Address | None) -> bool:
    if address is None:
        # Whoever may open the server's Unix socket is on this machine.
        return True
    return any(address in network for network in settings.TRUSTED_PROXIES)


def _parsed(word: str) -> Address | None:
    """An address as proxies write it, also with a port: "203.0.113.5", "203.0.113.5:4711", "[2001:db8::1]:4711"."""
    word = word.strip()
    if word.startswith("["):
        word = word[1:].partition("]")[0]
    elif word.count(":") == 1:
        word = word.partition(":")[0]
    try:
        address = ip_address(word)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        # The zone is a name of that machine's network card and no part of the address.
        return address.ipv4_mapped or IPv6Address(int(address))
    return address
