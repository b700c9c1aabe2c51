"""Settings from the environment, read strictly: a bad value stops the start and says what to do."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import warnings
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = {"1", "true", "yes", "on"}
FALSE_WORDS = {"0", "false", "no", "off", ""}
LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}
RUNSIGNUP_HOSTS = ("api.runsignup.com", "runsignup.com", "test.runsignup.com")
# Names, not addresses: those of no public host end in a number, or have no dot.
_PUBLIC_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])")
_INTERNAL_ENDINGS = (
    "local",
    "localhost",
    "localdomain",
    "internal",
    "intranet",
    "private",
    "lan",
    "corp",
    "home",
    "arpa",
)
MAIL_SCHEMES = {"smtp", "smtp+tls", "smtp+ssl"}
# What Django's own check of a deployment asks for.
SHORTEST_KEY, FEWEST_LETTERS = 50, 5


def read_dotenv(project_dir: Path) -> None:
    """Load `.env` beside manage.py; what is already in the environment wins."""
    path = project_dir / ".env"
    if path.exists():
        environ.Env.read_env(path, overwrite=False)


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def boolean(name: str, *, default: bool) -> bool:
    """A yes/no variable. django-environ reads a typo ("ture") as False; here it is refused."""
    if name not in os.environ:
        return default
    value = os.environ[name].strip().lower()
    if value in TRUE_WORDS:
        return True
    if value in FALSE_WORDS:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}. Write true or false.")


def whole_number(name: str, *, default: int, least: int, most: int, hint: str) -> int:
    """A count. What is not written in digits, or out of bounds, is refused; `hint` says what is counted."""
    value = text(name) or str(default)
    # Digits only: int() also takes "1_6" and " +16".
    if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
        raise ImproperlyConfigured(f"{name} is {value!r}. Write a whole number from {least} to {most}: {hint}")
    return int(value)


def words(name: str) -> list[str]:
    """A comma list; blanks around the items do not count."""
    return [item.strip() for item in text(name).split(",") if item.strip()]


def hosts(*, debug: bool) -> list[str]:
    """ALLOWED_HOSTS: the names that the pages are served under. Without DEBUG it must be set, and not to "any"."""
    found = words("ALLOWED_HOSTS")
    hint = "It is a comma list of the names that the pages are served under, for example sync.example.org."
    if "*" in found and not debug:
        raise ImproperlyConfigured(f"ALLOWED_HOSTS is *: links in mails would lead wherever a stranger says. {hint}")
    if found:
        return found
    if not debug:
        raise ImproperlyConfigured(f"ALLOWED_HOSTS is not set. {hint}")
    return ["127.0.0.1", "localhost", "[::1]"]


def networks(name: str, *, default: str) -> list[IPv4Network | IPv6Network]:
    """A comma list of addresses and networks: "127.0.0.1, 10.0.0.0/8"."""
    found = []
    for word in words(name) or [item.strip() for item in default.split(",")]:
        try:
            found.append(ip_network(word))
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name}: {error}. Write the addresses or networks of the reverse proxies in front of Project88, for "
                "example 10.0.0.5, 172.18.0.0/16."
            ) from None
    return found


def secret(name: str, *, debug: bool, var_dir: Path, make: object, hint: str) -> str:
    """A secret variable.

    With DEBUG a missing one is made once and kept under `var/`, so that a first start needs no set-up; without DEBUG
    the start refuses: a default secret in production is a secret that everybody knows.
    """
    value = text(name)
    if value:
        return value
    if not debug:
        raise ImproperlyConfigured(f"{name} is not set. {hint}")
    path = var_dir / name.lower()
    if not path.exists():
        var_dir.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(str(make()) + "\n")  # type: ignore[operator]
        # link() fails when another process was faster: then its secret is the one that counts.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


def random_secret_key() -> str:
    return secrets.token_urlsafe(50)


def strong_key(value: str, *, debug: bool) -> str:
    """SECRET_KEY. Without DEBUG one that can be guessed is refused: with it anybody signs a session of their own."""
    if not debug and (len(value) < SHORTEST_KEY or len(set(value)) < FEWEST_LETTERS or "insecure" in value):
        raise ImproperlyConfigured(
            f"SECRET_KEY can be guessed: it needs {SHORTEST_KEY} random characters. Make one with: "
            'python -c "import secrets; print(secrets.token_urlsafe(50))"'
        )
    return value


def provider_hosts(name: str, *, default: Sequence[str] = RUNSIGNUP_HOSTS) -> tuple[str, ...]:
    """The hosts that keys may be sent to. An address, or a name inside of a network, is refused: whoever can set this
    must not be able to make us ask what only this machine reaches."""
    hosts = tuple(host.lower() for host in words(name)) or tuple(default)
    for host in hosts:
        if not _PUBLIC_HOST.fullmatch(host) or host.rpartition(".")[2] in _INTERNAL_ENDINGS:
            raise ImproperlyConfigured(
                f"{name}: {host!r} is no public host. Write names such as {default[0]}, without https:// and port."
            )
    return hosts


def runsignup_url(
    *, debug: bool, hosts: Sequence[str] = RUNSIGNUP_HOSTS, default: str = "https://api.runsignup.com/rest"
) -> str:
    """The provider's base URL: https to one of `hosts`; plain http only to loopback and only with DEBUG."""
    url = text("RUNSIGNUP_URL") or default
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        # Neither the text nor the reason is shown: there may be a password in it.
        raise ImproperlyConfigured(f"RUNSIGNUP_URL is not a URL. An example: {default}.") from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ImproperlyConfigured(
            "RUNSIGNUP_URL must not carry a user, a query or a fragment: keys belong in the admin."
        )
    if host in LOOPBACK_HOSTS and parts.scheme in {"http", "https"}:
        if not debug:
            raise ImproperlyConfigured(
                f"RUNSIGNUP_URL points to this machine ({host}). That is for the sandbox and needs DEBUG=true."
            )
        return url.rstrip("/")
    if parts.scheme == "https" and host in hosts:
        return url.rstrip("/")
    raise ImproperlyConfigured(
        f"RUNSIGNUP_URL {url!r} is refused: https to one of {', '.join(sorted(hosts))}, for example {default}. "
        "RUNSIGNUP_HOSTS is the list."
    )


def postgresql(name: str) -> dict[str, Any] | None:
    """A database URL as Django's settings, None when the variable is empty. The text of a refusal holds no password."""
    url = text(name)
    if not url:
        return None
    hint = f"{name} must be postgresql://user:password@host:port/name, with PostgreSQL 15 or newer"
    try:
        parts = urlsplit(url)
        _port = parts.port
        with warnings.catch_warnings():
            # Its warning of an unknown engine prints the password.
            warnings.simplefilter("ignore")
            config = environ.Env.db_url_config(url)
    except (ValueError, KeyError) as error:
        raise ImproperlyConfigured(f"{hint}: {error}.") from None
    if config.get("ENGINE") != "django.db.backends.postgresql" or not config.get("NAME"):
        raise ImproperlyConfigured(f"{hint}.")
    return config


def email(name: str) -> dict[str, Any]:
    """A mail server's URL as Django's settings; the console when the variable is empty. The text of a refusal holds no
    password."""
    url = text(name)
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    hint = f"{name} must be smtp://user:password@host:587, smtp+tls://… (STARTTLS) or smtp+ssl://… (TLS, port 465)"
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ImproperlyConfigured(f"{hint}.") from None
    if parts.scheme not in MAIL_SCHEMES or not host:
        raise ImproperlyConfigured(f"{hint}.")
    return environ.Env.email_url_config(url)


def database_name(name: str, *, default: str) -> str:
    value = text(name) or default
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", value):
        raise ImproperlyConfigured(f"{name} is {value!r}. Use small letters, digits and underscores.")
    return value


def both_or_neither(first: str, second: str, *, hint: str) -> tuple[str, str]:
    """Two variables that only make sense together (contract §1.1: a half-set pair fails every call)."""
    values = text(first), text(second)
    if bool(values[0]) != bool(values[1]):
        missing = second if values[0] else first
        raise ImproperlyConfigured(f"{missing} is not set, but the other half of the pair is. {hint}")
    return values


def fernet_keys(value: str) -> list[str]:
    """CREDENTIAL_KEYS: a comma list of Fernet keys, the first encrypts. Raises with a hint when one is malformed."""
    keys = [item.strip() for item in value.split(",") if item.strip()]
    for position, key in enumerate(keys, start=1):
        if not re.fullmatch(r"[A-Za-z0-9_-]{43}=", key):
            raise ImproperlyConfigured(
                f"CREDENTIAL_KEYS: key {position} is not a Fernet key (32 bytes, url-safe base64). Make one with: "
                'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
            )
    if not keys:
        raise ImproperlyConfigured("CREDENTIAL_KEYS is empty.")
    return keys
