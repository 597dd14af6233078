"""Who reads a queue may be killed between storing and acknowledging: nothing is lost, and nothing is there twice."""

import asyncio
import json
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import aio_pika
import pytest
from aiokafka import AIOKafkaProducer

from waggle.storage.store import Store, open_store
from waggle.testing.queues import KafkaServer, RabbitmqServer

pytestmark = [pytest.mark.anyio, pytest.mark.guarantee, pytest.mark.timeout(600)]

PROCESS = Path(__file__).with_name("queue_process.py")
LETTERS = 500


def letters() -> list[bytes]:
    return [
        json.dumps(
            {
                "specversion": "1.0",
                "id": f"e-{number}",
                "source": "/erp",
                "type": "stock-changed",
                "data": {"sku": f"sku-{number % 7}", "quantity": number},
            }
        ).encode()
        for number in range(LETTERS)
    ]


async def read_it_all(kind: str, address: str, name: str, database_url: str) -> None:
    """Let four readers die one after another, each a little later, and a fifth end the work."""
    store = open_store(database_url)
    for batches in (1, 2, 1, 3):
        words = command(kind, address, name, database_url, batches)
        dead = await asyncio.to_thread(subprocess.run, words, check=False, timeout=120)
        assert dead.returncode == -signal.SIGKILL
    last = subprocess.Popen(command(kind, address, name, database_url, 0))  # noqa: ASYNC220 -- ended below
    try:
        async with asyncio.timeout(200):
            while await count(store) < LETTERS:  # noqa: ASYNC110 -- another process does it
                await asyncio.sleep(0.2)
    finally:
        last.terminate()
        assert await asyncio.to_thread(last.wait, 60) == 0
        store.close()


def command(kind: str, address: str, name: str, database_url: str, batches: int) -> list[str]:
    return [sys.executable, str(PROCESS), kind, address, name, database_url, str(batches)]


async def count(store: Store) -> int:
    return await store.read(lambda tx: tx.events.count_pending())


async def order_of_each(database_url: str) -> dict[str, list[int]]:
    """Return what was stored, by subject, in the order of its arrival."""
    store = open_store(database_url)
    stored = await store.run(lambda tx: tx.events.pending(10 * LETTERS))
    store.close()
    found: dict[str, list[int]] = {}
    for each in stored:
        found.setdefault(each.event.subject, []).append(each.event.data["quantity"])
    return found


EXPECTED = {f"sku-{first}": list(range(first, LETTERS, 7)) for first in range(7)}


@pytest.mark.rabbitmq
async def test_a_killed_reader_of_rabbitmq_loses_and_doubles_nothing(
    rabbitmq_server: RabbitmqServer, sqlite_url: str
) -> None:
    name = f"kills-{uuid.uuid4().hex[:8]}"
    async with await aio_pika.connect(rabbitmq_server.url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
        for letter in letters():
            await channel.default_exchange.publish(aio_pika.Message(letter), name)

        await read_it_all("rabbitmq", rabbitmq_server.url, name, sqlite_url)

        assert (await queue.get(fail=False)) is None
    stored = await order_of_each(sqlite_url)
    assert {sku: sorted(quantities) for sku, quantities in stored.items()} == EXPECTED


@pytest.mark.kafka
async def test_a_killed_reader_of_kafka_loses_and_doubles_nothing(kafka_server: KafkaServer, sqlite_url: str) -> None:
    name = f"kills-{uuid.uuid4().hex[:8]}"
    await kafka_server.create_topic(name)
    producer = AIOKafkaProducer(bootstrap_servers=kafka_server.address)
    await producer.start()
    for letter in letters():
        await producer.send(name, letter)
    await producer.stop()

    await read_it_all("kafka", kafka_server.address, name, sqlite_url)

    assert await order_of_each(sqlite_url) == EXPECTED
