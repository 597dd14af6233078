"""Read a topic: offsets are committed once their records are stored."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import ConsumerRecord

from connectors.kafka import KafkaSettings
from connectors.kafka.connection import checked, given_up, reach
from waggle.errors import TemporaryFailure
from waggle.log import get_logger
from waggle.ports.sources import Letter

REASON = "waggle-reason"
"""Header of a dead letter: the code of the refusal."""

_BINARY = "ce_"
"""How the Kafka binding of CloudEvents 1.0 marks attributes among headers."""
_NOT_TO_BE_KEPT = "FORBIDDEN_DATA"
_LOOK_FOR_STOP_MS = 300
_SESSION_MS = 10_000
_FINISH_WITHIN_S = 60.0
"""How long others wait for a batch under way before they get its partitions: it is dropped then, and read again."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_MOST_DOUBLINGS = 10

log = get_logger(__name__)

Handle = Callable[[Sequence[Letter]], Awaitable[Sequence[str | None]]]


class KafkaQueue:
    """An EventQueue."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Take *settings*.

        Raises:
            BadSettings: they cannot work.
        """
        self._settings = checked(settings)

    async def consume(self, handle: Handle, stop: asyncio.Event) -> None:
        """Read until *stop* is set; brokers that are away are waited for."""
        failed = 0
        while not stop.is_set():
            began_s = time.monotonic()
            try:
                await self._read(handle, stop)
            except TemporaryFailure as failure:
                log.warning("queue rests", topic=self._settings.read_topic, code=failure.code)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("queue is away", topic=self._settings.read_topic, error=type(error).__name__)
            if not stop.is_set():
                failed = 0 if time.monotonic() - began_s > _LONGEST_PAUSE_S else failed + 1
                await _pause(stop, min(_FIRST_PAUSE_S * 2 ** min(failed, _MOST_DOUBLINGS), _LONGEST_PAUSE_S))

    async def _read(self, handle: Handle, stop: asyncio.Event) -> None:
        consumer = AIOKafkaConsumer(
            group_id=self._settings.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest" if self._settings.from_beginning else "latest",
            # What a producer took back was never said.
            isolation_level="read_committed",
            session_timeout_ms=_SESSION_MS,
            **reach(self._settings),
        )
        busy = asyncio.Lock()
        async with AsyncExitStack() as opened:
            opened.push_async_callback(consumer.stop)
            consumer.subscribe([self._settings.read_topic], listener=_Finish(busy))
            await consumer.start()
            dead = await self._dead_letters(opened)
            log.info("queue open", topic=self._settings.read_topic, group=self._settings.group)
            while not stop.is_set():
                fetched = await consumer.getmany(timeout_ms=_LOOK_FOR_STOP_MS, max_records=self._settings.batch)
                if fetched:
                    async with busy:
                        await self._work_off(consumer, dead, fetched, handle)

    async def _work_off(
        self,
        consumer: AIOKafkaConsumer,
        dead: AIOKafkaProducer | None,
        fetched: dict[TopicPartition, list[ConsumerRecord]],
        handle: Handle,
    ) -> None:
        # A record without a value takes another back (compaction): nothing happened in the world.
        records = [record for found in fetched.values() for record in found if record.value is not None]
        codes = await handle([_letter(record) for record in records])
        for record, code in zip(records, codes, strict=True):
            if code is not None and dead is not None:
                await self._bury(dead, record, code)
        try:
            await consumer.commit({partition: found[-1].offset + 1 for partition, found in fetched.items()})
        except (CommitFailedError, IllegalStateError):
            # The partitions are another's by now, who reads these records again; their events are known then.
            log.info("batch is another's", topic=self._settings.read_topic, records=len(records))

    async def _dead_letters(self, opened: AsyncExitStack) -> AIOKafkaProducer | None:
        if not self._settings.dead_letter_topic:
            return None
        producer = AIOKafkaProducer(acks="all", **reach(self._settings))
        opened.push_async_callback(given_up, producer)
        await producer.start()
        return producer

    async def _bury(self, dead: AIOKafkaProducer, record: ConsumerRecord, code: str) -> None:
        """Put *record* among the dead letters, and wait until it is safe there; of forbidden data only the code."""
        forbidden = code == _NOT_TO_BE_KEPT
        origin = f"{record.topic}/{record.partition}/{record.offset}"
        headers = [*(() if forbidden else record.headers), (REASON, code.encode()), ("waggle-origin", origin.encode())]
        async with asyncio.timeout(self._settings.timeout_s):
            await dead.send_and_wait(
                self._settings.dead_letter_topic,
                value=b"" if forbidden else record.value,
                key=None if forbidden else record.key,
                headers=headers,
            )


class _Finish(ConsumerRebalanceListener):  # type: ignore[misc]  # the library tells no types
    """Lets the batch under way end, its offsets with it, before its partitions go to another consumer."""

    def __init__(self, busy: asyncio.Lock) -> None:
        self._busy = busy

    async def on_partitions_revoked(self, revoked: object) -> None:  # noqa: ARG002 -- whichever they are
        try:
            async with asyncio.timeout(_FINISH_WITHIN_S), self._busy:
                return
        except TimeoutError:
            log.warning("batch dropped: its partitions are wanted")

    async def on_partitions_assigned(self, assigned: object) -> None:
        pass


def _letter(record: ConsumerRecord) -> Letter:
    attributes = {
        name[len(_BINARY) :]: value.decode("utf-8", "replace")
        for name, value in record.headers
        if name.startswith(_BINARY) and value is not None
    }
    return Letter(body=record.value, attributes=attributes)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
