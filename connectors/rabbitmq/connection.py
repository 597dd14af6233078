"""A connection to RabbitMQ, encrypted unless the server is on this machine."""

import ssl
from urllib.parse import urlsplit

import aio_pika
import aio_pika.abc
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from connectors.rabbitmq import RabbitmqSettings
from waggle.domain.loopback import is_loopback
from waggle.errors import BadSettings

AWAY = (*CONNECTION_EXCEPTIONS, TimeoutError)
"""Everything that the library raises when the server is away, closes, or refuses what it is asked."""


def checked(settings: RabbitmqSettings) -> RabbitmqSettings:
    """Return *settings* if they can work.

    Raises:
        BadSettings: SETTING_WRONG or PLAINTEXT_REFUSED.
    """
    try:
        parts = urlsplit(settings.url.reveal())
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in {"amqp", "amqps"}:
        raise BadSettings("SETTING_WRONG", "rabbitmq: url must look like amqps://user:password@host/vhost")
    if parts.scheme == "amqp" and not is_loopback(host) and not settings.allow_plaintext:
        raise BadSettings(
            "PLAINTEXT_REFUSED",
            f"rabbitmq: {host} is another machine and amqp:// travels readable: "
            "write amqps://, or allow_plaintext = true",
        )
    if settings.batch < 1 or settings.prefetch < settings.batch:
        raise BadSettings("SETTING_WRONG", "rabbitmq: batch must be at least 1, and prefetch at least batch")
    return settings


async def connected(settings: RabbitmqSettings) -> aio_pika.abc.AbstractConnection:
    """Return a new connection, which is not made anew by itself: what was handed out on it comes again by another.

    Raises:
        BadSettings: CONFIG_UNREADABLE, for the file of authorities.
    """
    context = None
    if settings.url.reveal().startswith("amqps:"):
        try:
            context = ssl.create_default_context(cafile=settings.ca_file or None)
        except OSError as error:
            raise BadSettings("CONFIG_UNREADABLE", f"rabbitmq.ca_file: {settings.ca_file} cannot be read") from error
    return await aio_pika.connect(
        settings.url.reveal(),
        timeout=settings.timeout_s,
        ssl_context=context,
        client_properties={"connection_name": "waggle"},
    )
