"""A mail server that refuses when it is asked to."""

from pathlib import Path

import aiosmtplib
import pytest

from waggle.listening import listening
from waggle.mailbox.arrivals import Mailbox, read_arrivals
from waggle.mailbox.server import Reception, smtp_server
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("manner", "code"), [("refuse", 550), ("defer", 451)])
async def test_a_recipient_is_refused_for_good_or_for_now_until_mails_are_taken_again(
    tmp_path: Path, manner: str, code: int
) -> None:
    mailbox, reception = Mailbox(tmp_path, HandClock()), Reception(manner)  # type: ignore[arg-type]  # one of the two
    mailbox.recover()
    with listening("127.0.0.1", 0, "a test") as sock:
        async with smtp_server(mailbox, sock, reception):
            port = sock.getsockname()[1]
            async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as smtp:
                with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
                    await smtp.sendmail("shop@example.com", ["ada@example.com"], b"Subject: Hello\r\n\r\nHello")
                assert [each.code for each in refused.value.recipients] == [code]

                reception.manner = "accept"
                await smtp.sendmail("shop@example.com", ["ada@example.com"], b"Subject: Hello\r\n\r\nHello")

    assert [arrival.to for arrival in read_arrivals(tmp_path)] == ["ada@example.com"]
