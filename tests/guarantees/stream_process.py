"""A process that tells a topic or an exchange what happened, and may kill itself between telling and noting it.

    python stream_process.py rabbitmq|kafka ADDRESS NAME DATABASE_URL BATCHES_BEFORE_DEATH SECONDS_AHEAD

It ends when all is told, unless it dies before. SECONDS_AHEAD spares a test the wait until a dead one's hold is over.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from connectors.kafka import KafkaSettings
from connectors.kafka.stream import KafkaStream
from connectors.rabbitmq import RabbitmqSettings
from connectors.rabbitmq.stream import RabbitmqStream
from waggle.domain.secret import Secret
from waggle.ports.sources import EventStream, OutEvent
from waggle.services.streaming import NamedStream, Streaming
from waggle.storage.store import open_store

BATCH = 40


class Ahead:
    """A clock."""

    def __init__(self, seconds: float) -> None:
        self._ahead = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


class Mortal:
    """An EventStream that dies once it has told so many batches."""

    def __init__(self, stream: EventStream, left: int) -> None:
        self._stream = stream
        self._left = left

    @property
    def most_at_once(self) -> int:
        return self._stream.most_at_once

    async def publish(self, events: Sequence[OutEvent]) -> None:
        await self._stream.publish(events)
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    async def close(self) -> None:
        await self._stream.close()


def opened(kind: str, address: str, name: str) -> EventStream:
    if kind == "kafka":
        return KafkaStream(KafkaSettings(servers=address, security="none", write_topic=name, batch=BATCH))
    return RabbitmqStream(RabbitmqSettings(url=Secret(address), exchange=name, batch=BATCH))


async def main(kind: str, address: str, name: str, database_url: str, batches: str, ahead_s: str) -> None:  # noqa: PLR0917 -- the command line
    store = open_store(database_url)
    stream = Mortal(opened(kind, address, name), int(batches))
    named = NamedStream(name, stream, None, "beginning")
    streaming = Streaming(store, [named], Ahead(float(ahead_s)))
    while await streaming.number():
        pass
    while await streaming.tell(named):
        pass
    await stream.close()
    store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
