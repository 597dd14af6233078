"""Tell a topic, and wait until every replica that counts has it."""

import asyncio
from collections.abc import Sequence

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from connectors.kafka import KafkaSettings
from connectors.kafka.connection import checked, given_up, reach
from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.ports.sources import OutEvent

_RETRY_S = 5.0
_STRUCTURED = [("content-type", b"application/cloudevents+json")]


class KafkaStream:
    """An EventStream; CloudEvents in structured mode, keyed by subject, so that a subject keeps its order."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Take *settings*.

        Raises:
            BadSettings: they cannot work.
        """
        self._settings = checked(settings)
        self._producer: AIOKafkaProducer | None = None

    @property
    def most_at_once(self) -> int:
        """How many are confirmed together."""
        return self._settings.batch

    async def publish(self, events: Sequence[OutEvent]) -> None:
        """Hand all over in their order and return once the brokers have confirmed each.

        Raises:
            TemporaryFailure: KAFKA_UNAVAILABLE.
            PermanentFailure: KAFKA_TOO_LARGE: the topic does not take an event of this size.
        """
        try:
            # The library itself goes on for ever while it may hope for an answer.
            async with asyncio.timeout(2 * self._settings.timeout_s):
                producer = await self._opened()
                told = [await self._one(producer, event) for event in events]
                answers = await asyncio.gather(*told, return_exceptions=True)
            if any(isinstance(answer, BaseException) for answer in answers):
                raise next((answer for answer in answers if isinstance(answer, Exception)), KafkaError())
        except MessageSizeTooLargeError as error:
            raise PermanentFailure("KAFKA_TOO_LARGE", "raise max.message.bytes of the topic") from error
        except (KafkaError, OSError, TimeoutError) as error:
            # What it still holds must not come after what is told next.
            await self.close()
            raise TemporaryFailure("KAFKA_UNAVAILABLE", type(error).__name__, retry_after_s=_RETRY_S) from error

    async def close(self) -> None:
        """End the connections, if any are open."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await given_up(producer)

    async def _opened(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(enable_idempotence=True, acks="all", **reach(self._settings))
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def _one(self, producer: AIOKafkaProducer, event: OutEvent) -> "asyncio.Future[object]":
        sent: asyncio.Future[object] = await producer.send(
            self._settings.write_topic,
            value=msgspec.json.encode(event.item),
            key=str(event.item.get("subject", "")).encode(),
            headers=_STRUCTURED,
        )
        return sent
