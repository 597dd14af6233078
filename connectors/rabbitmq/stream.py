"""Tell an exchange, and wait until the server has confirmed what it was told."""

import asyncio
from collections.abc import Sequence

import msgspec
from aio_pika import DeliveryMode, ExchangeType, Message
from aio_pika.abc import AbstractConnection, AbstractExchange
from aio_pika.exceptions import DeliveryError

from connectors.rabbitmq import RabbitmqSettings
from connectors.rabbitmq.connection import AWAY, checked, connected
from waggle.errors import TemporaryFailure
from waggle.ports.sources import OutEvent

_RETRY_S = 5.0


class RabbitmqStream:
    """An EventStream; CloudEvents in structured mode, one to a message. Serves one event loop."""

    def __init__(self, settings: RabbitmqSettings) -> None:
        """Take *settings*.

        Raises:
            BadSettings: they cannot work.
        """
        self._settings = checked(settings)
        self._connection: AbstractConnection | None = None
        self._exchange: AbstractExchange | None = None

    @property
    def most_at_once(self) -> int:
        """How many are confirmed together."""
        return self._settings.batch

    async def publish(self, events: Sequence[OutEvent]) -> None:
        """Publish all on one channel, which keeps their order, and return once the server has confirmed each.

        Raises:
            TemporaryFailure: RABBITMQ_UNAVAILABLE; RABBITMQ_UNROUTABLE: no queue is bound that wants it.
        """
        try:
            exchange = await self._opened()
            answers = await asyncio.gather(*(self._one(exchange, event) for event in events), return_exceptions=True)
            failures = [answer for answer in answers if isinstance(answer, BaseException)]
            if failures:
                raise failures[0]
        except DeliveryError as error:
            raise TemporaryFailure(
                "RABBITMQ_UNROUTABLE",
                f"no queue is bound to {self._settings.exchange} that takes it, or the queue is full",
                retry_after_s=_RETRY_S,
            ) from error
        except AWAY as error:
            await self.close()
            raise TemporaryFailure("RABBITMQ_UNAVAILABLE", type(error).__name__, retry_after_s=_RETRY_S) from error

    async def close(self) -> None:
        """Close the connection, if one is open."""
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is not None:
            await connection.close()

    async def _opened(self) -> AbstractExchange:
        if self._connection is not None and self._connection.is_closed:
            await self.close()
        if self._exchange is None:
            self._connection = await connected(self._settings)
            channel = await self._connection.channel(on_return_raises=True)
            self._exchange = await channel.declare_exchange(
                self._settings.exchange, ExchangeType.TOPIC, durable=True, timeout=self._settings.timeout_s
            )
        return self._exchange

    async def _one(self, exchange: AbstractExchange, event: OutEvent) -> None:
        message = Message(
            msgspec.json.encode(event.item),
            content_type="application/cloudevents+json",
            message_id=event.item["id"],
            delivery_mode=DeliveryMode.PERSISTENT,
        )
        # Mandatory: what nobody gets comes back instead of being lost.
        await exchange.publish(message, event.item["type"], mandatory=True, timeout=self._settings.timeout_s)
