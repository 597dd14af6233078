"""The migrations make exactly the tables that the code uses, whoever runs them and how many at once."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url, text

from waggle.storage.store import is_up_to_date, open_engine, open_store, upgrade
from waggle.storage.tables import metadata

OPEN = "import sys; from waggle.storage.store import open_store; open_store(sys.argv[1]).close()"


def execute(server: str, statement: str) -> None:
    engine = create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_migrations_make_exactly_the_tables_of_the_code(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []


def test_the_partial_indexes_are_those_of_the_code(database_url: str) -> None:
    """Which Alembic does not compare: without its condition the promise of one live enrolment would be another one."""
    engine = open_engine(database_url)
    postgresql = engine.dialect.name == "postgresql"
    question = (
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        if postgresql
        else "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    )
    with engine.connect() as connection:
        found = {name: sql for name, sql in connection.execute(text(question)) if " WHERE " in sql}
    engine.dispose()
    partial = {
        str(index.name)
        for table in metadata.sorted_tables
        for index in table.indexes
        if index.dialect_options[engine.dialect.name]["where"] is not None
    }

    assert set(found) == partial
    assert "ended" in found["uq_enrolments_live"]


def test_opening_again_changes_nothing(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    assert is_up_to_date(engine)
    upgrade(engine)
    assert is_up_to_date(engine)
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new.db'}"
    server: str = request.getfixturevalue("postgresql_server")
    execute(server, "DROP DATABASE IF EXISTS race WITH (FORCE)")
    execute(server, "CREATE DATABASE race")
    return make_url(server).set(database="race").render_as_string(hide_password=False)


def test_processes_that_start_at_once_on_an_empty_database_all_come_up(empty_database_url: str) -> None:
    command = [sys.executable, "-c", OPEN, empty_database_url]
    racers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    ends = [(racer.communicate(timeout=100)[1], racer.returncode) for racer in racers]

    assert ends == [("", 0)] * 4
    store = open_store(empty_database_url)
    assert is_up_to_date(store._engine)
    store.close()
