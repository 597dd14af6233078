"""Who tells a stream may be killed between telling and noting it: nothing is left out, and the order is kept."""

import asyncio
import json
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import aio_pika
import pytest
from aiokafka import AIOKafkaConsumer

from waggle.ports.unit_of_work import Transaction
from waggle.services.intake import Intake
from waggle.storage.store import open_store
from waggle.testing.clock import HandClock
from waggle.testing.queues import KafkaServer, RabbitmqServer

pytestmark = [pytest.mark.anyio, pytest.mark.guarantee, pytest.mark.timeout(600)]

PROCESS = Path(__file__).with_name("stream_process.py")
EVENTS = 500
DEATHS = (1, 2, 1, 3)


async def happen(database_url: str) -> None:
    """Let 500 things happen to seven products."""
    store = open_store(database_url)
    items = [
        {
            "specversion": "1.0",
            "id": f"e-{number}",
            "type": "stock-changed",
            "data": {"sku": f"sku-{number % 7}", "quantity": number},
        }
        for number in range(EVENTS)
    ]
    await Intake(store, HandClock()).accept("shop", items)

    def apply(tx: Transaction) -> None:
        tx.events.mark_applied([stored.sequence for stored in tx.events.pending(EVENTS)], HandClock().now())

    await store.run(apply)
    store.close()


async def tell_it_all(kind: str, address: str, name: str, database_url: str) -> None:
    for turn, batches in enumerate((*DEATHS, 0)):
        command = [sys.executable, str(PROCESS), kind, address, name, database_url, str(batches), str(100 * turn)]
        ended = await asyncio.to_thread(subprocess.run, command, check=False, timeout=200)
        assert ended.returncode == (-signal.SIGKILL if batches else 0)


def check(told: list[int]) -> None:
    """See that all was told, what was repeated in whole batches, and nothing before what came before it."""
    assert set(told) == set(range(EVENTS))
    assert len(told) == EVENTS + 40 * len(DEATHS)
    first = list(dict.fromkeys(told))
    assert first == sorted(first)


@pytest.mark.kafka
async def test_kafka_is_told_everything_in_order(kafka_server: KafkaServer, sqlite_url: str) -> None:
    name = f"kills-{uuid.uuid4().hex[:8]}"
    await kafka_server.create_topic(name)
    await happen(sqlite_url)

    await tell_it_all("kafka", kafka_server.address, name, sqlite_url)

    consumer = AIOKafkaConsumer(name, bootstrap_servers=kafka_server.address, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(60):
            records = [await consumer.getone() for _ in range(EVENTS + 40 * len(DEATHS))]
    finally:
        await consumer.stop()
    check([json.loads(record.value)["data"]["quantity"] for record in records])


@pytest.mark.rabbitmq
async def test_rabbitmq_is_told_everything_in_order(rabbitmq_server: RabbitmqServer, sqlite_url: str) -> None:
    name = f"kills-{uuid.uuid4().hex[:8]}"
    await happen(sqlite_url)
    async with await aio_pika.connect(rabbitmq_server.url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
        await queue.bind(exchange, "#")

        await tell_it_all("rabbitmq", rabbitmq_server.url, name, sqlite_url)

        found = []
        while (message := await queue.get(fail=False, no_ack=True)) is not None:
            found.append(json.loads(message.body)["data"]["quantity"])
    check(found)
