"""RabbitMQ, in and out, against the real server."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel

from connectors.rabbitmq import RabbitmqSettings
from connectors.rabbitmq.queue import RabbitmqQueue
from connectors.rabbitmq.stream import RabbitmqStream
from waggle.domain.secret import Secret
from waggle.errors import BadSettings, TemporaryFailure
from waggle.ports.sources import Letter, OutEvent
from waggle.testing.queues import RabbitmqServer

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq, pytest.mark.timeout(400)]


def settings(server: RabbitmqServer, **keys: object) -> RabbitmqSettings:
    return RabbitmqSettings(url=Secret(server.url), **keys)  # type: ignore[arg-type]


@pytest.fixture
def name() -> str:
    return f"facts-{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def channel(rabbitmq_server: RabbitmqServer) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(rabbitmq_server.url) as connection:
        yield await connection.channel()


class Handler:
    """Remembers letters, and answers as it is told."""

    def __init__(self, code_of: Callable[[bytes], str | None] = lambda _body: None) -> None:
        self.batches: list[list[Letter]] = []
        self.failures = 0
        self.changed = asyncio.Event()
        self._code_of = code_of

    @property
    def bodies(self) -> list[bytes]:
        return [letter.body for batch in self.batches for letter in batch]

    async def __call__(self, letters: Sequence[Letter]) -> list[str | None]:
        if self.failures:
            self.failures -= 1
            raise TemporaryFailure("DATABASE_LOCKED")
        self.batches.append(list(letters))
        self.changed.set()
        return [self._code_of(letter.body) for letter in letters]

    async def has(self, count: int) -> None:
        async with asyncio.timeout(120):
            while len(self.bodies) < count:
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def reading(queue: RabbitmqQueue, handler: Handler) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(queue.consume(handler, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 60)


async def put(channel: AbstractChannel, queue: str, *bodies: bytes, headers: dict[str, str] | None = None) -> None:
    await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "quorum"})
    for body in bodies:
        await channel.default_exchange.publish(aio_pika.Message(body, headers=dict(headers or {})), queue)


async def left_in(channel: AbstractChannel, queue: str) -> list[aio_pika.abc.AbstractIncomingMessage]:
    """Return everything that lies in *queue*, taking it out."""
    found = await channel.get_queue(queue)
    taken = []
    while (message := await found.get(fail=False, no_ack=True)) is not None:
        taken.append(message)
    return taken


def own(headers: Mapping[str, object]) -> dict[str, object]:
    """Return *headers* without those that the server adds to every delivery."""
    return {name: value for name, value in headers.items() if not name.startswith("x-")}


async def test_letters_come_in_order_and_are_gone_once_handled(
    rabbitmq_server: RabbitmqServer, channel: AbstractChannel, name: str
) -> None:
    bodies = [str(number).encode() for number in range(50)]
    await put(channel, name, *bodies)
    handler = Handler()

    async with reading(RabbitmqQueue(settings(rabbitmq_server, queue=name, batch=20)), handler):
        await handler.has(50)

    assert handler.bodies == bodies
    assert max(len(batch) for batch in handler.batches) <= 20
    assert await left_in(channel, name) == []


async def test_what_was_not_handled_comes_again(
    rabbitmq_server: RabbitmqServer, channel: AbstractChannel, name: str
) -> None:
    await put(channel, name, b"1", b"2", b"3")
    handler = Handler()
    handler.failures = 1

    async with reading(RabbitmqQueue(settings(rabbitmq_server, queue=name)), handler):
        await handler.has(3)

    assert handler.bodies == [b"1", b"2", b"3"]
    assert await left_in(channel, name) == []


async def test_a_refused_letter_lies_among_the_dead_with_its_reason(
    rabbitmq_server: RabbitmqServer, channel: AbstractChannel, name: str
) -> None:
    await put(channel, name, b"good", b"bad", b"good", headers={"shop": "north"})
    handler = Handler(lambda body: "FIELD_MISSING" if body == b"bad" else None)

    async with reading(RabbitmqQueue(settings(rabbitmq_server, queue=name)), handler):
        await handler.has(3)

    [dead] = await left_in(channel, f"{name}.dead")
    assert dead.body == b"bad"
    assert own(dead.headers) == {"shop": "north", "waggle-reason": "FIELD_MISSING"}
    assert await left_in(channel, name) == []


async def test_of_what_must_not_be_held_only_the_reason_is_kept(
    rabbitmq_server: RabbitmqServer, channel: AbstractChannel, name: str
) -> None:
    await put(channel, name, b"4111111111111111", headers={"card": "4111111111111111"})
    handler = Handler(lambda _body: "FORBIDDEN_DATA")

    async with reading(RabbitmqQueue(settings(rabbitmq_server, queue=name)), handler):
        await handler.has(1)

    [dead] = await left_in(channel, f"{name}.dead")
    assert (dead.body, own(dead.headers)) == (b"", {"waggle-reason": "FORBIDDEN_DATA"})


async def test_attributes_in_headers_are_handed_on(
    rabbitmq_server: RabbitmqServer, channel: AbstractChannel, name: str
) -> None:
    await put(channel, name, b"{}", headers={"cloudEvents:id": "e-1", "cloudEvents_type": "order-placed", "x": "y"})
    handler = Handler()

    async with reading(RabbitmqQueue(settings(rabbitmq_server, queue=name)), handler):
        await handler.has(1)

    assert handler.batches[0][0].attributes == {"id": "e-1", "type": "order-placed"}


async def test_a_queue_that_is_deleted_under_the_reader_is_opened_again(
    rabbitmq_server: RabbitmqServer, channel: AbstractChannel, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.rabbitmq.queue._QUIET_S", 2.0)
    await put(channel, name, b"1")
    handler = Handler()

    async with reading(RabbitmqQueue(settings(rabbitmq_server, queue=name)), handler):
        await handler.has(1)
        await channel.queue_delete(name)
        await put(channel, name, b"2")
        await handler.has(2)

    assert handler.bodies[-1] == b"2"


@pytest.mark.guarantee
async def test_a_killed_server_is_waited_for_by_both_sides(
    rabbitmq_server: RabbitmqServer, channel: AbstractChannel, name: str
) -> None:
    await put(channel, name, b"1")
    queue = await channel.get_queue(name)
    stream = RabbitmqStream(settings(rabbitmq_server, exchange=f"{name}-out"))
    handler = Handler()

    async with reading(RabbitmqQueue(settings(rabbitmq_server, queue=name)), handler):
        await handler.has(1)
        exchange = await channel.declare_exchange(f"{name}-out", aio_pika.ExchangeType.TOPIC, durable=True)
        await queue.bind(exchange, "#")
        await stream.publish(events(1))
        await handler.has(2)
        await asyncio.to_thread(rabbitmq_server.kill)
        with pytest.raises(TemporaryFailure, match="RABBITMQ_UNAVAILABLE"):
            await stream.publish(events(1))
        await asyncio.to_thread(rabbitmq_server.start)
        async with asyncio.timeout(120):
            while not await published(stream, events(2)):  # noqa: ASYNC110 -- the server tells
                await asyncio.sleep(0.1)
            while b'"e-2"' not in b"".join(handler.bodies):
                await handler.has(len(handler.bodies) + 1)

    await stream.close()
    ids = [json.loads(body)["id"] for body in handler.bodies[1:]]
    assert ids[0] == "e-1"
    # A publication in vain may have been half of one.
    assert ids[ids.index("e-2") - 1] == "e-1"
    assert ids.index("e-2") > 1


async def published(stream: RabbitmqStream, told: list[OutEvent]) -> bool:
    """Publish as its caller does: what was in vain for now is done again."""
    try:
        await stream.publish(told)
    except TemporaryFailure:
        return False
    return True


def events(count: int) -> list[OutEvent]:
    return [
        OutEvent(position=n, item={"specversion": "1.0", "id": f"e-{n}", "type": "order-placed", "subject": "c-1"})
        for n in range(1, count + 1)
    ]


async def test_what_is_told_lies_in_the_bound_queue_in_order(
    rabbitmq_server: RabbitmqServer, channel: AbstractChannel, name: str
) -> None:
    exchange = await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC, durable=True)
    queue = await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
    await queue.bind(exchange, "order-*")
    await queue.bind(exchange, "#")
    stream = RabbitmqStream(settings(rabbitmq_server, exchange=name))

    await stream.publish(events(200))
    await stream.close()

    found = await left_in(channel, name)
    assert [message.message_id for message in found] == [f"e-{n}" for n in range(1, 201)]
    assert found[0].content_type == "application/cloudevents+json"
    assert found[0].routing_key == "order-placed"
    assert json.loads(found[0].body)["id"] == "e-1"


async def test_what_nobody_would_get_is_not_taken_for_told(rabbitmq_server: RabbitmqServer, name: str) -> None:
    stream = RabbitmqStream(settings(rabbitmq_server, exchange=name))

    with pytest.raises(TemporaryFailure, match="RABBITMQ_UNROUTABLE"):
        await stream.publish(events(1))

    await stream.close()


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"url": Secret("amqp://u:p@mq.example/")}, "PLAINTEXT_REFUSED"),
        ({"url": Secret("http://127.0.0.1/")}, "SETTING_WRONG"),
        ({"url": Secret("amqp://127.0.0.1/"), "batch": 0}, "SETTING_WRONG"),
        ({"url": Secret("amqp://127.0.0.1/"), "batch": 50, "prefetch": 10}, "SETTING_WRONG"),
    ],
)
def test_settings_that_cannot_work_are_refused(keys: dict[str, object], code: str) -> None:
    for kind in (RabbitmqQueue, RabbitmqStream):
        with pytest.raises(BadSettings, match=code):
            kind(RabbitmqSettings(**keys))  # type: ignore[arg-type]


def test_plaintext_to_another_machine_can_be_allowed_by_name() -> None:
    RabbitmqQueue(RabbitmqSettings(url=Secret("amqp://mq.example/"), allow_plaintext=True, queue="facts"))
