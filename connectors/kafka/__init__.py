"""Kafka: a topic is read by a consumer group, or told."""

from dataclasses import dataclass
from typing import Literal

from waggle.connector import Connector
from waggle.domain.secret import Secret
from waggle.ports.sources import EventQueue, EventStream


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """A source names a `read_topic`, a stream a `write_topic`."""

    servers: str
    """host:port of some brokers, with commas between them."""
    security: Literal["tls", "none"] = "tls"
    """none: only on this machine, or with `allow_plaintext`."""
    allow_plaintext: bool = False
    """True: security = "none" to another machine; everybody on the way can read along."""
    ca_file: str = ""
    """Authorities in PEM; empty: those of the system."""
    cert_file: str = ""
    key_file: str = ""
    """Certificate and key of this client, if the brokers ask for one."""
    mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    """How to log in (SASL); empty: not at all."""
    username: str = ""
    password: Secret = Secret("")  # noqa: RUF009 -- frozen itself
    read_topic: str = ""
    group: str = "waggle"
    """Processes of one group share the partitions."""
    from_beginning: bool = True
    """Where a group starts that has read nothing yet: at the oldest record, or at what comes from then on."""
    dead_letter_topic: str = ""
    """Gets records that were refused, with the reason in a header; empty: they lie in quarantine alone."""
    write_topic: str = ""
    batch: int = 500
    """How many at a time: stored in one transaction, or confirmed together."""
    timeout_s: float = 30.0
    """For each answer of the brokers."""


CONNECTOR = Connector(
    name="kafka",
    title="Apache Kafka",
    docs="https://kafka.apache.org/39/documentation.html",
    settings=KafkaSettings,
    provides={
        EventQueue: "connectors.kafka.queue:KafkaQueue",
        EventStream: "connectors.kafka.stream:KafkaStream",
    },
    only_with={EventQueue: "read_topic", EventStream: "write_topic"},
)
