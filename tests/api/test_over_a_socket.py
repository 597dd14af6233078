"""What only shows on a real connection: bodies that are not read, and callers that go away."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from tests.api.door import Door

pytestmark = pytest.mark.anyio

TEN_MEGABYTES = 10_000_000
KEY = "key-of-shop"


@pytest.fixture
async def port(door: Door) -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(door.app, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve([listener]))
    yield listener.getsockname()[1]
    server.should_exit = True
    await serving


async def send_all(port: int, head: str, chunks: list[bytes]) -> bytes:
    """Send *head* and *chunks* for as long as the other side takes them, and return its answer."""
    return await asyncio.to_thread(_send_all, port, head, chunks)


def _send_all(port: int, head: str, chunks: list[bytes]) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(head.replace("\n", "\r\n").encode())
            for chunk in chunks:
                connection.sendall(chunk)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65_536):
                answer += part
        return answer


def head(key: str, framing: str) -> str:
    return (
        "POST /v1/events HTTP/1.1\nHost: waggle\nContent-Type: application/json\nConnection: close\n"
        f"Authorization: Bearer {key}\n{framing}\n\n"
    )


@pytest.mark.parametrize("framing", [f"Content-Length: {TEN_MEGABYTES}", "Transfer-Encoding: chunked"])
async def test_a_body_of_ten_megabytes_is_refused_without_being_read(port: int, door: Door, framing: str) -> None:
    piece = b"[" * 100_000
    chunks = [piece if "Length" in framing else b"%x\r\n%b\r\n" % (len(piece), piece)] * 100

    answer = await send_all(port, head(KEY, framing), chunks)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"BODY_TOO_LARGE"' in answer
    assert await door.stored_ids() == []


async def test_an_announced_body_that_is_too_large_is_refused_before_its_first_byte(port: int) -> None:
    answer = await send_all(port, head(KEY, f"Content-Length: {TEN_MEGABYTES}"), [])

    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_wrong_key_is_told_so_before_the_body(port: int) -> None:
    answer = await send_all(port, head("another-key", f"Content-Length: {TEN_MEGABYTES}"), [])

    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_a_caller_that_goes_away_in_the_middle_leaves_nothing_and_harms_nobody(
    port: int, door: Door, event: dict[str, Any]
) -> None:
    body = json.dumps(event).encode()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head(KEY, f"Content-Length: {len(body)}").replace("\n", "\r\n").encode() + body[:-1])
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    answer = await send_all(port, head(KEY, f"Content-Length: {len(body)}"), [body])

    assert answer.startswith(b"HTTP/1.1 202 ")
    assert await door.stored_ids() == ["e-1"]


async def test_one_click_unsubscribing_is_answered_over_one_connection(port: int, door: Door) -> None:
    body = b"List-Unsubscribe=One-Click"
    request = (
        "POST /u/tok-1 HTTP/1.1\nHost: waggle\nContent-Type: application/x-www-form-urlencoded\nConnection: close\n"
        f"Content-Length: {len(body)}\n\n"
    )

    answer = await send_all(port, request, [body])

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert door.unsubscribing.unsubscribed == ["tok-1"]
