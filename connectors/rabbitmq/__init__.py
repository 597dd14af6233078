"""RabbitMQ (AMQP 0-9-1): a quorum queue is read, or an exchange is told."""

from dataclasses import dataclass

from waggle.connector import Connector
from waggle.domain.secret import Secret
from waggle.ports.sources import EventQueue, EventStream


@dataclass(frozen=True, slots=True, kw_only=True)
class RabbitmqSettings:
    """A source names a `queue`, a stream an `exchange`. The server's certificate is checked against `ca_file`."""

    url: Secret
    """amqps://user:password@host/vhost; amqp:// only on this machine."""
    allow_plaintext: bool = False
    """True: amqp:// to another machine; everybody on the way can read along."""
    ca_file: str = ""
    """Authorities in PEM; empty: those of the system."""
    queue: str = ""
    """What is read; declared as a durable quorum queue if it is not there."""
    prefetch: int = 400
    """How many letters the server hands out ahead."""
    exchange: str = ""
    """What is told, with the event's type as routing key; declared as a durable topic exchange if it is not there."""
    batch: int = 200
    """How many at a time: stored in one transaction, or confirmed together."""
    timeout_s: float = 30.0
    """For connecting and for each confirmation."""


CONNECTOR = Connector(
    name="rabbitmq",
    title="RabbitMQ",
    docs="https://www.rabbitmq.com/docs/quorum-queues",
    settings=RabbitmqSettings,
    provides={
        EventQueue: "connectors.rabbitmq.queue:RabbitmqQueue",
        EventStream: "connectors.rabbitmq.stream:RabbitmqStream",
    },
    only_with={EventQueue: "queue", EventStream: "exchange"},
)
