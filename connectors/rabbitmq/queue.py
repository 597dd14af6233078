"""Read a quorum queue: a letter is acknowledged once it is stored; what was refused goes to `<queue>.dead`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from aio_pika import DeliveryMode, ExchangeType, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage

from connectors.rabbitmq import RabbitmqSettings
from connectors.rabbitmq.connection import AWAY, checked, connected
from waggle.errors import TemporaryFailure
from waggle.log import get_logger
from waggle.ports.sources import Letter

REASON = "waggle-reason"
"""Header of a dead letter: the code of the refusal."""

_BINARY = ("cloudEvents:", "cloudEvents_")
"""How the AMQP binding of CloudEvents 1.0 marks attributes among headers."""
_NOT_TO_BE_KEPT = "FORBIDDEN_DATA"
_QUIET_S = 120.0
"""After so long without a letter the queue is opened anew: a server of 3.10 was seen to give those of a queue that was
deleted and declared again to a consumer that never got them, and to tell nobody."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_MOST_DOUBLINGS = 10

log = get_logger(__name__)

Handle = Callable[[Sequence[Letter]], Awaitable[Sequence[str | None]]]


class RabbitmqQueue:
    """An EventQueue."""

    def __init__(self, settings: RabbitmqSettings) -> None:
        """Take *settings*.

        Raises:
            BadSettings: they cannot work.
        """
        self._settings = checked(settings)

    async def consume(self, handle: Handle, stop: asyncio.Event) -> None:
        """Read until *stop* is set, on a new connection whenever the old one is lost."""
        failed = 0
        while not stop.is_set():
            began_s = time.monotonic()
            try:
                async with await connected(self._settings) as connection:
                    await self._read(connection, handle, stop)
            except TemporaryFailure as failure:
                log.warning("queue rests", queue=self._settings.queue, code=failure.code)
            except AWAY as error:
                log.warning("queue is away", queue=self._settings.queue, error=type(error).__name__)
            if not stop.is_set():
                failed = 0 if time.monotonic() - began_s > _LONGEST_PAUSE_S else failed + 1
                await _pause(stop, min(_FIRST_PAUSE_S * 2 ** min(failed, _MOST_DOUBLINGS), _LONGEST_PAUSE_S))

    async def _read(self, connection: AbstractConnection, handle: Handle, stop: asyncio.Event) -> None:
        """Work off what comes on one connection; return when that is over, nothing comes, or *stop* is set."""
        channel = await connection.channel(on_return_raises=True)
        await channel.set_qos(prefetch_count=self._settings.prefetch)
        dead = await self._dead_letters(channel)
        queue = await channel.declare_queue(
            self._settings.queue, durable=True, arguments={"x-queue-type": "quorum"}, timeout=self._settings.timeout_s
        )
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        over = asyncio.Event()
        # A connection or channel that closes, and a server that takes the consumer away (its leader moved).
        channel.close_callbacks.add(lambda *_: over.set())
        (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(lambda _frame: over.set())
        await queue.consume(arrived.put)
        log.debug("queue open", queue=self._settings.queue)
        while batch := await _next(arrived, self._settings.batch, (stop, over)):
            codes = await handle([_letter(message) for message in batch])
            for message, code in zip(batch, codes, strict=True):
                if code is not None:
                    await self._bury(dead, message, code)
            # All before it were acknowledged before.
            await batch[-1].ack(multiple=True)

    async def _dead_letters(self, channel: AbstractChannel) -> AbstractExchange:
        name = f"{self._settings.queue}.dead"
        exchange = await channel.declare_exchange(
            name, ExchangeType.FANOUT, durable=True, timeout=self._settings.timeout_s
        )
        queue = await channel.declare_queue(
            name, durable=True, arguments={"x-queue-type": "quorum"}, timeout=self._settings.timeout_s
        )
        await queue.bind(exchange, timeout=self._settings.timeout_s)
        return exchange

    async def _bury(self, dead: AbstractExchange, message: AbstractIncomingMessage, code: str) -> None:
        """Put *message* among the dead letters, and wait until it is safe there; of forbidden data only the code."""
        body = b"" if code == _NOT_TO_BE_KEPT else message.body
        kept = {} if code == _NOT_TO_BE_KEPT else message.headers
        # x-...: what servers say of the delivery itself.
        headers = {name: value for name, value in kept.items() if not name.startswith("x-")}
        letter = Message(
            body,
            headers={**headers, REASON: code},
            content_type=message.content_type,
            message_id=message.message_id,
            delivery_mode=DeliveryMode.PERSISTENT,
        )
        await dead.publish(letter, self._settings.queue, timeout=self._settings.timeout_s)


def _letter(message: AbstractIncomingMessage) -> Letter:
    attributes = {
        name[len(_BINARY[0]) :]: _text(value)
        for name, value in message.headers.items()
        if name.startswith(_BINARY) and isinstance(value, str | bytes)
    }
    return Letter(body=message.body, attributes=attributes)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


async def _next(
    arrived: asyncio.Queue[AbstractIncomingMessage], most: int, ends: Sequence[asyncio.Event]
) -> list[AbstractIncomingMessage]:
    """Return what has arrived, at most *most*; nothing once one of *ends* is set, or when it is quiet for long."""
    if arrived.empty():
        getting = asyncio.ensure_future(arrived.get())
        waiting = [getting, *(asyncio.ensure_future(end.wait()) for end in ends)]
        try:
            await asyncio.wait(waiting, timeout=_QUIET_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
        found = [getting.result()] if getting.done() and not getting.cancelled() else []
    else:
        found = [arrived.get_nowait()]
    if not found or any(end.is_set() for end in ends):
        return []
    while len(found) < most and not arrived.empty():
        found.append(arrived.get_nowait())
    return found


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
