"""A process that reads a queue into a database, and may kill itself after a commit, before it is acknowledged.

    python queue_process.py rabbitmq|kafka ADDRESS QUEUE DATABASE_URL BATCHES_BEFORE_DEATH

It lives for ever with a number of 0.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from connectors.kafka import KafkaSettings
from connectors.kafka.queue import KafkaQueue
from connectors.rabbitmq import RabbitmqSettings
from connectors.rabbitmq.queue import RabbitmqQueue
from waggle.domain.secret import Secret
from waggle.ports.sources import EventQueue, Letter
from waggle.services.intake import Intake
from waggle.services.queues import QueueReader
from waggle.storage.store import open_store
from waggle.wiring.wall_clock import WallClock

BATCH = 25


def opened(kind: str, address: str, name: str) -> EventQueue:
    if kind == "kafka":
        return KafkaQueue(KafkaSettings(servers=address, security="none", read_topic=name, group=name, batch=BATCH))
    return RabbitmqQueue(RabbitmqSettings(url=Secret(address), queue=name, batch=BATCH))


class Mortal(QueueReader):
    """Dies once it has stored so many batches."""

    left = 0

    async def take(self, letters: Sequence[Letter]) -> list[str | None]:
        codes = await super().take(letters)
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return codes


async def main(kind: str, address: str, name: str, database_url: str, batches: str) -> None:
    store = open_store(database_url)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    reader = Mortal(name, opened(kind, address, name), Intake(store, WallClock()))
    reader.left = int(batches)
    await reader.run(stop)
    store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
