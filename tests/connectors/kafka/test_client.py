"""Kafka, in and out, against the real server."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import ConsumerRecord

from connectors.kafka import KafkaSettings
from connectors.kafka.queue import KafkaQueue
from connectors.kafka.stream import KafkaStream
from waggle.errors import BadSettings, PermanentFailure, TemporaryFailure
from waggle.ports.sources import Letter, OutEvent
from waggle.testing.queues import KafkaServer

pytestmark = [pytest.mark.anyio, pytest.mark.kafka, pytest.mark.timeout(400)]


def settings(server: KafkaServer, **keys: object) -> KafkaSettings:
    return KafkaSettings(servers=server.address, security="none", **keys)  # type: ignore[arg-type]


@pytest.fixture
def name() -> str:
    return f"facts-{uuid.uuid4().hex[:8]}"


class Handler:
    """Remembers letters, and answers as it is told; `gate` holds it up while it is closed."""

    def __init__(self, code_of: Callable[[bytes], str | None] = lambda _body: None) -> None:
        self.letters: list[Letter] = []
        self.failures = 0
        self.began = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.changed = asyncio.Event()
        self._code_of = code_of

    @property
    def bodies(self) -> list[bytes]:
        return [letter.body for letter in self.letters]

    async def __call__(self, letters: Sequence[Letter]) -> list[str | None]:
        self.began.set()
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise TemporaryFailure("DATABASE_LOCKED")
        self.letters.extend(letters)
        self.changed.set()
        return [self._code_of(letter.body) for letter in letters]

    async def has(self, count: int) -> None:
        async with asyncio.timeout(120):
            while len(self.letters) < count:
                self.changed.clear()
                await self.changed.wait()


async def come(bodies: set[bytes], *handlers: Handler) -> None:
    """Return once all of *bodies* were handed to one or another."""
    async with asyncio.timeout(120):
        while not bodies <= {body for handler in handlers for body in handler.bodies}:  # noqa: ASYNC110 -- of several
            await asyncio.sleep(0.1)


@asynccontextmanager
async def reading(queue: KafkaQueue, handler: Handler) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(queue.consume(handler, stop))
    try:
        yield
    finally:
        stop.set()
        handler.gate.set()
        await asyncio.wait_for(task, 120)


async def put(
    server: KafkaServer,
    topic: str,
    *bodies: bytes | None,
    headers: Sequence[tuple[str, bytes]] = (),
    partition: int = 0,
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=server.address)
    await producer.start()
    try:
        for body in bodies:
            await producer.send_and_wait(topic, body, key=b"k", headers=list(headers), partition=partition)
    finally:
        await producer.stop()


async def lying_in(server: KafkaServer, topic: str, count: int) -> list[ConsumerRecord]:
    """Return the first *count* records of a topic."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=server.address, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(120):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


async def test_records_come_in_order_and_once(kafka_server: KafkaServer, name: str) -> None:
    await kafka_server.create_topic(name)
    await put(kafka_server, name, *(str(number).encode() for number in range(30)))
    first, second = Handler(), Handler()

    async with reading(KafkaQueue(settings(kafka_server, read_topic=name, group=name, batch=10)), first):
        await first.has(30)
    await put(kafka_server, name, b"30")
    async with reading(KafkaQueue(settings(kafka_server, read_topic=name, group=name)), second):
        await second.has(1)

    assert first.bodies == [str(number).encode() for number in range(30)]
    assert second.bodies == [b"30"]


async def test_what_was_not_handled_comes_again(kafka_server: KafkaServer, name: str) -> None:
    await kafka_server.create_topic(name)
    await put(kafka_server, name, b"1", b"2")
    handler = Handler()
    handler.failures = 1

    async with reading(KafkaQueue(settings(kafka_server, read_topic=name, group=name)), handler):
        await handler.has(2)

    assert handler.bodies == [b"1", b"2"]


async def test_a_new_group_may_begin_with_what_comes_from_now_on(kafka_server: KafkaServer, name: str) -> None:
    await kafka_server.create_topic(name)
    await put(kafka_server, name, b"old")
    handler = Handler()
    queue = KafkaQueue(settings(kafka_server, read_topic=name, group=name, from_beginning=False))

    async with reading(queue, handler), asyncio.timeout(120):
        while not handler.letters:
            await put(kafka_server, name, b"new")
            await asyncio.sleep(0.1)

    assert b"old" not in handler.bodies


async def test_a_refused_record_is_put_among_the_dead_with_its_reason(kafka_server: KafkaServer, name: str) -> None:
    await kafka_server.create_topic(name)
    await kafka_server.create_topic(f"{name}-dead")
    await put(kafka_server, name, b"good", b"bad", b"card", headers=[("shop", b"north")])
    codes = {b"bad": "FIELD_MISSING", b"card": "FORBIDDEN_DATA"}
    handler = Handler(codes.get)
    queue = KafkaQueue(settings(kafka_server, read_topic=name, group=name, dead_letter_topic=f"{name}-dead"))

    async with reading(queue, handler):
        await handler.has(3)

    refused, forbidden = await lying_in(kafka_server, f"{name}-dead", 2)
    assert refused.value == b"bad"
    assert dict(refused.headers) == {
        "shop": b"north", "waggle-reason": b"FIELD_MISSING", "waggle-origin": f"{name}/0/1".encode(),
    }  # fmt: skip
    assert forbidden.value == b""
    assert dict(forbidden.headers).keys() == {"waggle-reason", "waggle-origin"}


async def test_attributes_in_headers_are_handed_on_and_deletions_are_not(kafka_server: KafkaServer, name: str) -> None:
    await kafka_server.create_topic(name)
    await put(kafka_server, name, None, b"{}", headers=[("ce_id", b"e-1"), ("ce_type", b"order-placed"), ("x", b"y")])
    handler = Handler()

    async with reading(KafkaQueue(settings(kafka_server, read_topic=name, group=name)), handler):
        await handler.has(1)

    [letter] = handler.letters
    assert letter.attributes == {"id": "e-1", "type": "order-placed"}


@pytest.mark.guarantee
async def test_a_batch_under_way_ends_before_its_partitions_go_to_another(kafka_server: KafkaServer, name: str) -> None:
    await kafka_server.create_topic(name, partitions=2)
    for partition in (0, 1):
        await put(kafka_server, name, *(f"{partition}-{n}".encode() for n in range(20)), partition=partition)
    first, second = Handler(), Handler()
    first.gate.clear()
    queue = KafkaQueue(settings(kafka_server, read_topic=name, group=name, batch=100))

    async with reading(queue, first):
        await asyncio.wait_for(first.began.wait(), 120)
        async with reading(queue, second):
            await asyncio.sleep(4)  # time for the group to notice the second, and to wait for the first
            got_meanwhile = list(second.letters)
            first.gate.set()
            await first.has(20)
            await come({f"{p}-{n}".encode() for p in (0, 1) for n in range(20)}, first, second)
            rounds = 0
            async with asyncio.timeout(120):
                # However long the group takes to share its partitions out.
                while rounds == 0 or not second.letters:
                    rounds += 1
                    for partition in (0, 1):
                        await put(kafka_server, name, f"{partition}-new-{rounds}".encode(), partition=partition)
                    await come({f"{p}-new-{rounds}".encode() for p in (0, 1)}, first, second)

    assert got_meanwhile == []
    both = first.bodies + second.bodies
    assert len(both) == len(set(both)) == 40 + 2 * rounds


@pytest.mark.guarantee
async def test_a_killed_server_is_waited_for_by_both_sides(kafka_server: KafkaServer, name: str) -> None:
    await kafka_server.create_topic(name)
    stream = KafkaStream(settings(kafka_server, write_topic=name, timeout_s=3.0))
    handler = Handler()

    async with reading(KafkaQueue(settings(kafka_server, read_topic=name, group=name)), handler):
        await stream.publish(events(1))
        await handler.has(1)
        await asyncio.to_thread(kafka_server.kill)
        with pytest.raises(TemporaryFailure, match="KAFKA_UNAVAILABLE"):
            await stream.publish(events(2))
        await asyncio.to_thread(kafka_server.start)
        async with asyncio.timeout(120):
            while not await published(stream, events(2)):  # noqa: ASYNC110 -- the server tells
                await asyncio.sleep(0.1)
            while b'"e-2"' not in b"".join(handler.bodies):
                await handler.has(len(handler.bodies) + 1)

    await stream.close()
    ids = [json.loads(body)["id"] for body in handler.bodies]
    assert ids[0] == "e-1"
    # A publication in vain may have been half of one.
    assert ids[ids.index("e-2") - 1] == "e-1"
    assert ids.index("e-2") > 1


async def published(stream: KafkaStream, told: list[OutEvent]) -> bool:
    """Publish as its caller does: what was in vain for now is done again."""
    try:
        await stream.publish(told)
    except TemporaryFailure:
        return False
    return True


def events(count: int, size: int = 0) -> list[OutEvent]:
    return [
        OutEvent(
            position=n,
            item={
                "specversion": "1.0",
                "id": f"e-{n}",
                "type": "order-placed",
                "subject": f"c-{n % 3}",
                "x": "y" * size,
            },
        )
        for n in range(1, count + 1)
    ]


async def test_what_is_told_lies_in_the_topic_in_the_order_of_its_subject(kafka_server: KafkaServer, name: str) -> None:
    await kafka_server.create_topic(name, partitions=4)
    stream = KafkaStream(settings(kafka_server, write_topic=name))

    await stream.publish(events(300))
    await stream.close()

    found = await lying_in(kafka_server, name, 300)
    of_one = [json.loads(record.value)["id"] for record in found if record.key == b"c-1"]
    assert of_one == [f"e-{n}" for n in range(1, 301) if n % 3 == 1]
    assert {record.headers for record in found} == {(("content-type", b"application/cloudevents+json"),)}


async def test_an_event_too_large_for_the_topic_needs_somebody(kafka_server: KafkaServer, name: str) -> None:
    await kafka_server.create_topic(name)
    stream = KafkaStream(settings(kafka_server, write_topic=name))

    with pytest.raises(PermanentFailure, match="KAFKA_TOO_LARGE"):
        await stream.publish(events(1, size=2_000_000))

    await stream.close()


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"servers": "kafka.example:9092", "security": "none"}, "PLAINTEXT_REFUSED"),
        ({"servers": "127.0.0.1:9092,kafka.example:9092", "security": "none"}, "PLAINTEXT_REFUSED"),
        ({"servers": "kafka.example"}, "SETTING_WRONG"),
        ({"servers": ""}, "SETTING_WRONG"),
        ({"servers": "127.0.0.1:9092", "batch": 0}, "SETTING_WRONG"),
    ],
)
def test_settings_that_cannot_work_are_refused(keys: dict[str, object], code: str) -> None:
    for kind in (KafkaQueue, KafkaStream):
        with pytest.raises(BadSettings, match=code):
            kind(KafkaSettings(**keys))  # type: ignore[arg-type]


def test_plaintext_to_another_machine_can_be_allowed_by_name() -> None:
    KafkaQueue(KafkaSettings(servers="[::1]:9092,kafka.example:9092", security="none", allow_plaintext=True))
