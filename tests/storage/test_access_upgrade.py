"""Write keys and audit rows of the second version are good keys and a whole chain afterwards."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, make_url, text

from waggle.services.access import Access
from waggle.services.auditing import Auditing
from waggle.storage.store import Store, config_for, open_engine, open_store
from waggle.testing.clock import HandClock
from waggle.testing.stores import keyring_for

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
TOKEN = "wk_" + "a" * 43


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'old.db'}"
    server: str = request.getfixturevalue("postgresql_server")
    maintenance = open_engine(server).execution_options(isolation_level="AUTOCOMMIT")
    with maintenance.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS old_access WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE old_access"))
    maintenance.dispose()
    return make_url(server).set(database="old_access").render_as_string(hide_password=False)


@pytest.fixture
def upgraded(old_url: str) -> Iterator[Store]:
    """A database of the second version with a key and three audit rows, numbered with a gap."""
    engine = open_engine(old_url)
    with engine.begin() as connection:
        command.upgrade(config_for(connection), "0002")
        fill(connection)
    engine.dispose()
    store = open_store(old_url, keyring=keyring_for(old_url))
    yield store
    store.close()


def fill(connection: Connection) -> None:
    when: object = NOON
    if connection.dialect.name == "sqlite":
        when = str(NOON.replace(tzinfo=None))
    connection.execute(
        text("INSERT INTO write_keys (key_hash, source, created_at) VALUES (:key_hash, 'shop/eu', :at)"),
        {"key_hash": hashlib.sha256(TOKEN.encode()).hexdigest(), "at": when},
    )
    for number in (1, 2, 5):
        connection.execute(
            text(
                "INSERT INTO audit (sequence, at, actor, action, subject, why, detail) "
                "VALUES (:number, :at, 'kim', 'message-settled', :subject, 'ja, „so“', :detail)"
            ),
            {"number": number, "at": when, "subject": f"m-{number}", "detail": '{"to": "sent", "from": "in_doubt"}'},
        )


async def test_an_old_write_key_may_send_events_as_before(upgraded: Store) -> None:
    who = await Access(upgraded, HandClock(NOON)).principal_of(TOKEN)

    assert who is not None
    assert (who.name, who.source, who.scopes) == ("shop/eu", "shop/eu", frozenset({"events:write"}))


async def test_old_audit_rows_are_a_chain_that_goes_on(upgraded: Store) -> None:
    auditing = Auditing(upgraded, HandClock(NOON))
    before = await auditing.verify()
    [first, *_] = await auditing.newest(10)
    await upgraded.run(lambda tx: tx.audit.add(first.entry))

    after = await auditing.verify()

    assert (before.rows, before.broken_at) == (3, None)
    assert (after.rows, after.broken_at) == (4, None)
    assert (first.entry.at, first.entry.why) == (NOON, "ja, „so“")
    assert [each.entry.subject for each in await auditing.newest(10)] == ["m-1", "m-2", "m-5", "m-1"]
