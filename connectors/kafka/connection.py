"""How to reach the brokers, encrypted unless they are on this machine."""

import asyncio
import ssl
from typing import Any

from aiokafka import AIOKafkaProducer

from connectors.kafka import KafkaSettings
from waggle.domain.loopback import is_loopback
from waggle.errors import BadSettings


def checked(settings: KafkaSettings) -> KafkaSettings:
    """Return *settings* if they can work.

    Raises:
        BadSettings: SETTING_WRONG or PLAINTEXT_REFUSED.
    """
    hosts = [server.strip().rpartition(":")[0].strip("[]") for server in settings.servers.split(",")]
    if not all(hosts):
        raise BadSettings("SETTING_WRONG", "kafka: servers must look like broker-1.example:9093,broker-2.example:9093")
    afar = [host for host in hosts if not is_loopback(host)]
    if afar and settings.security == "none" and not settings.allow_plaintext:
        raise BadSettings(
            "PLAINTEXT_REFUSED",
            f'kafka: {afar[0]} is another machine and security = "none" travels readable: '
            'write security = "tls", or allow_plaintext = true',
        )
    if settings.batch < 1:
        raise BadSettings("SETTING_WRONG", "kafka: batch must be at least 1")
    return settings


def reach(settings: KafkaSettings) -> dict[str, Any]:
    """Return what the library wants to know about servers, encryption and log-in.

    Raises:
        BadSettings: CONFIG_UNREADABLE, for a file of certificates or a key.
    """
    words = {"tls": ("SSL", "SASL_SSL"), "none": ("PLAINTEXT", "SASL_PLAINTEXT")}
    told: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in settings.servers.split(",")],
        "client_id": "waggle",
        "request_timeout_ms": round(settings.timeout_s * 1000),
        "security_protocol": words[settings.security][bool(settings.mechanism)],
    }
    if settings.mechanism:
        told["sasl_mechanism"] = settings.mechanism
        told["sasl_plain_username"] = settings.username
        told["sasl_plain_password"] = settings.password.reveal()
    if settings.security == "tls":
        told["ssl_context"] = _context(settings)
    return told


async def given_up(producer: AIOKafkaProducer) -> None:
    """End *producer* without waiting for what it was not told is safe; `stop` alone may wait for ever for brokers."""
    if producer._sender is not None:  # noqa: SLF001 -- nothing public ends it without a last try
        # A task that is cancelled before its first step does not hear of it, and who waits for it is cancelled instead.
        await asyncio.sleep(0)
        await producer._sender.close()  # noqa: SLF001
    await producer.stop()


def _context(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file or None)
    except OSError as error:
        # An error of the library may quote a path; ssl.SSLError is an OSError as well.
        raise BadSettings(
            "CONFIG_UNREADABLE", "kafka: ca_file, cert_file or key_file cannot be read, or do not belong together"
        ) from error
    return context
