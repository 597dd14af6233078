"""Hand e-mails to an SMTP server over a few connections that are kept open."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from email.headerregistry import Address
from typing import NoReturn

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from connectors.smtp import SmtpSettings
from connectors.smtp.message import lay_out, parse_recipient, parse_sender
from waggle.errors import OutcomeUnknown, PermanentFailure, TemporaryFailure
from waggle.ports.email import Email

# Nothing is wrong with the message: somebody must mend the account or the settings, and then it can go.
_LOGIN_CODES = frozenset({530, 534, 535, 538})
_CLOSING = 421
_RETRY_UNREACHABLE_S = 30.0
_RETRY_REFUSED_S = 60.0
_RETRY_LOGIN_S = 300.0


class SmtpSender:
    """An EmailSender; opens nothing before the first message. Serves one event loop."""

    name = "smtp"
    repeat_safe_for = timedelta(0)
    """SMTP knows no repeats: RFC 1047 describes how the second mail comes about."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._places = asyncio.Semaphore(settings.connections)
        self._idle: list[SMTP] = []

    async def send(self, email: Email, *, before_data: Callable[[], Awaitable[None]]) -> str:
        """Hand *email* over as the port demands; see `waggle.ports.email`.

        Raises:
            TemporaryFailure: SMTP_UNAVAILABLE, SMTP_LOGIN_REFUSED, SMTP_BUSY (a 4xx answer).
            PermanentFailure: ADDRESS_REFUSED, SENDER_REFUSED, MESSAGE_REFUSED.
            OutcomeUnknown: SMTP_ANSWER_LOST.
        """
        sender, to = parse_sender(email.sender), parse_recipient(email.to)
        content = lay_out(email, sender, to)
        async with self._places:
            connection = await self._open_envelope(sender, to)
            try:
                await _ask(connection, before_data)
                return await _transfer(connection, content)
            finally:
                self._keep(connection)

    async def close(self) -> None:
        """End the connections that are kept open."""
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.quit()
            except SMTPException:
                connection.close()

    async def _open_envelope(self, sender: Address, to: Address) -> SMTP:
        """Return a connection on which the server has taken sender and recipient."""
        while self._idle:
            connection = self._idle.pop()
            if await self._reopened(connection, sender, to):
                return connection
        connection = await self._connect()
        try:
            await _envelope(connection, sender, to)
        except SMTPException as error:
            await self._give_up(connection, error)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _reopened(self, connection: SMTP, sender: Address, to: Address) -> bool:
        """Try a kept connection; False if the server has ended it meanwhile, which says nothing about the message."""
        try:
            await _envelope(connection, sender, to)
        except (SMTPServerDisconnected, SMTPTimeoutError):
            connection.close()
            return False
        except SMTPException as error:
            if isinstance(error, SMTPResponseException) and error.code == _CLOSING:
                connection.close()
                return False
            await self._give_up(connection, error)
        except BaseException:
            connection.close()
            raise
        return True

    async def _connect(self) -> SMTP:
        settings = self._settings
        connection = SMTP(
            hostname=settings.host,
            port=settings.port,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            username=settings.username,
            password=settings.password.reveal() if settings.password else None,
            timeout=settings.timeout_s,
            local_hostname=settings.hello_name,
        )
        try:
            await connection.connect()
            if connection.is_ehlo_or_helo_needed:
                await connection.ehlo()
        except SMTPAuthenticationError as error:
            raise _login_refused(error.code) from None
        except (SMTPException, OSError) as error:
            connection.close()
            code = error.code if isinstance(error, SMTPResponseException) else None
            if code in _LOGIN_CODES:
                raise _login_refused(code) from None
            raise TemporaryFailure(
                "SMTP_UNAVAILABLE",
                f"{settings.host}:{settings.port}: {code or type(error).__name__}",
                retry_after_s=_RETRY_UNREACHABLE_S,
            ) from None
        except BaseException:
            connection.close()
            raise
        return connection

    async def _give_up(self, connection: SMTP, error: SMTPException) -> NoReturn:
        """Raise what *error* means before any content left, and keep the connection if it can be of use."""
        if isinstance(error, SMTPResponseException) and error.code > 0:
            await _forget_envelope(connection)
            self._keep(connection)
            raise _refusal(error) from None
        connection.close()
        raise TemporaryFailure("SMTP_UNAVAILABLE", type(error).__name__, retry_after_s=_RETRY_UNREACHABLE_S) from None

    def _keep(self, connection: SMTP) -> None:
        if connection.is_connected:
            self._idle.append(connection)


async def _envelope(connection: SMTP, sender: Address, to: Address) -> None:
    await connection.mail(sender.addr_spec)
    await connection.rcpt(to.addr_spec)


async def _ask(connection: SMTP, before_data: Callable[[], Awaitable[None]]) -> None:
    try:
        await before_data()
    except Exception:
        await _forget_envelope(connection)
        raise
    except BaseException:
        # Cancelled: there is no time left to talk.
        connection.close()
        raise


async def _transfer(connection: SMTP, content: bytes) -> str:
    """Send the content; from its first byte on, only an answer tells whether the server has it."""
    try:
        response = await connection.data(content)
    except SMTPResponseException as error:
        if not 400 <= error.code < 600:  # noqa: PLR2004 -- no reply code of RFC 5321 that says no
            connection.close()
            raise OutcomeUnknown("SMTP_ANSWER_LOST", "the answer to the content is no SMTP answer") from None
        await _forget_envelope(connection)
        raise _refusal(error) from None
    except (SMTPException, OSError) as error:
        connection.close()
        raise OutcomeUnknown("SMTP_ANSWER_LOST", type(error).__name__) from None
    except BaseException:
        # Cancelled in the middle: the connection is of no use any more.
        connection.close()
        raise
    return _impersonal(response.code, response.message)


async def _forget_envelope(connection: SMTP) -> None:
    try:
        await connection.rset()
    except SMTPException:
        connection.close()
    except BaseException:
        # The answer is still under way and would be taken for that to the next command.
        connection.close()
        raise


def _refusal(error: SMTPResponseException) -> TemporaryFailure | PermanentFailure:
    """Return what a known answer means: nothing was taken."""
    said = _status(error.code, error.message)
    if error.code in _LOGIN_CODES:
        return _login_refused(error.code)
    if error.code < 500:  # noqa: PLR2004
        return TemporaryFailure("SMTP_BUSY", said, retry_after_s=_RETRY_REFUSED_S)
    # 5.7.x is a policy of the server (relaying, reputation), no fault of the address: RFC 3463.
    if isinstance(error, SMTPRecipientRefused) and " 5.7." not in said:
        return PermanentFailure("ADDRESS_REFUSED", said)
    return PermanentFailure("MESSAGE_REFUSED", said)


def _login_refused(code: int | None) -> TemporaryFailure:
    return TemporaryFailure(
        "SMTP_LOGIN_REFUSED", f"{code}: check smtp.username and smtp.password", retry_after_s=_RETRY_LOGIN_S
    )


def _status(code: int, text: str) -> str:
    """Return reply code and enhanced status code; the words after them may quote the recipient."""
    enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", text)
    return f"{code} {enhanced[0]}" if enhanced else str(code)


def _impersonal(code: int, text: str) -> str:
    """Return the codes of an acceptance and the server's id for the message, if it gave one the usual way."""
    queue_id = re.search(r"\b(?:queued as|id=)\s*<?([A-Za-z0-9._-]{1,100})(?![@A-Za-z0-9._-])", text)
    return _status(code, text) + (f" {queue_id[1]}" if queue_id else "")
