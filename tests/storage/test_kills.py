"""A writer that is killed loses nothing of what it said was stored."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from waggle.ports.unit_of_work import Transaction
from waggle.storage.store import open_store

pytestmark = pytest.mark.guarantee

KILLS = 20
ACKNOWLEDGED_BEFORE_A_KILL = 25

WRITER = """
import asyncio, sys
from waggle.domain.product import Product
from waggle.storage.store import open_store

async def main(url, life):
    store = open_store(url)
    async def write(number):
        await store.run(lambda tx: tx.products.save(Product(sku=f"{life}-{number}")))
        print(number, flush=True)
    number = 0
    while True:
        # Four at once, so that commits hold several works and a kill finds some half done.
        await asyncio.gather(*(write(number + each) for each in range(4)))
        number += 4

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


def test_twenty_kills_lose_no_acknowledged_commit(sqlite_url: str, tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for life in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, sqlite_url, str(life)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        acknowledged.extend(f"{life}-{int(writer.stdout.readline())}" for _ in range(ACKNOWLEDGED_BEFORE_A_KILL + life))
        writer.kill()
        rest, _ = writer.communicate()
        acknowledged += [f"{life}-{int(line)}" for line in rest.splitlines(keepends=True) if line.endswith("\n")]

    store = open_store(sqlite_url)

    def missing(tx: Transaction) -> list[str]:
        return [sku for sku in acknowledged if tx.products.get(sku) is None]

    assert len(acknowledged) >= KILLS * ACKNOWLEDGED_BEFORE_A_KILL
    assert asyncio.run(store.read(missing)) == []
    with store._engine.connect().execution_options(read_only=True) as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    store.close()
