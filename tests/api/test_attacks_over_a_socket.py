"""Attacks that only a real connection can carry: bytes that no client library would send."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import cast

import pytest
from litestar.types import ASGIApp

from tests.api.door import Door
from waggle.api import body
from waggle.prompt_http import MOST_HEAD_BYTES, PromptProtocol
from waggle.serving import serve

pytestmark = pytest.mark.anyio

_SOON_S = 0.3


@pytest.fixture
async def port(door: Door) -> AsyncIterator[int]:
    """Of the API, served as the product serves it."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(cast("ASGIApp", door.app), listener, stop))
    yield listener.getsockname()[1]
    stop.set()
    await serving


async def said(port: int, *pieces: bytes) -> bytes:
    """Send *pieces* for as long as they are taken, and return all that comes until the other side ends it."""
    return await asyncio.to_thread(_said, port, pieces)


def _said(port: int, pieces: tuple[bytes, ...]) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        answer = b""
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65_536):
                answer += part
        return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def asking(target: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"Host: w", b"Connection: close", *headers, b"", b""])


@pytest.mark.parametrize(
    "target",
    [
        b"/../../../../etc/passwd",
        b"/waggle.js/../../../../etc/passwd",
        b"/waggle.js/..%2f..%2f..%2fetc/passwd",
        b"/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        b"/..%252f..%252fetc/passwd",
        b"/..%c0%af..%c0%afetc/passwd",
        b"/..\\..\\etc\\passwd",
        b"/waggle.js%00.html",
        b"/problems/..%2f..%2f..%2fetc%2fpasswd",
        b"//etc/passwd",
        b"http://evil.example/etc/passwd",
        b"/\xff\xfe",
        b"/%ff%fe%00",
        b"*",
        b"/" + b"a/" * 8_000,
    ],
)
async def test_no_path_leads_out_of_what_is_served(port: int, target: bytes) -> None:
    answer = await said(port, asking(target))

    assert status(answer) in {400, 404}
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "header",
    [
        b"If-None-Match: \xff\xfe\x80",
        b"If-None-Match: " + b'"a",' * 10_000,
        b"Authorization: Bearer \xf0\x28\x8c\x28",
        b"Cookie: " + b"a=b;" * 10_000,
        b"Cookie: waggle_console=\xff; \x80=\xfe; =; ;;;",
        b"Accept-Language: " + b"en;q=9999999," * 2_000,
        b"Content-Type: \xff/\xff; charset=\xff",
        b"X-Forwarded-For: 127.0.0.1\xff",
        b"Origin: http://\xff",
    ],
)
@pytest.mark.parametrize("path", [b"/v1/orders/o-1", b"/u/tok-1", b"/c/tok-2", b"/waggle.js", b"/livez"])
async def test_no_header_breaks_it(port: int, path: bytes, header: bytes) -> None:
    assert 200 <= status(await said(port, asking(path, header))) < 500


@pytest.mark.parametrize(
    "ends", [b"%0d%0aSet-Cookie:%20a=b", b"%0aSet-Cookie:%20a=b", b"%E5%98%8A%E5%98%8DSet-Cookie:a=b"]
)
@pytest.mark.parametrize("path", [b"/c/tok-1", b"/u/tok-1", b"/problems/", b"/v1/orders/", b"/nowhere/", b"/?next="])
async def test_nothing_that_is_asked_for_becomes_a_header_of_the_answer(port: int, path: bytes, ends: bytes) -> None:
    head, _, _ = (await said(port, asking(path + ends, b"Origin: http://a" + ends))).partition(b"\r\n\r\n")

    assert b"set-cookie" not in head.lower()


async def test_a_header_with_a_line_end_in_it_is_none(port: int) -> None:
    assert status(await said(port, asking(b"/livez", b"X-A: b\nX-C: d\rX-E: f"))) == 400


async def test_a_head_without_end_is_refused_long_before_memory_suffers(port: int, door: Door) -> None:
    answer = await said(port, b"GET /livez HTTP/1.1\r\nX-A: ", *[b"a" * 65_536] * 160)

    # What was sent after it was refused may end the connection before the answer is read.
    assert status(answer) in {0, 431}
    assert MOST_HEAD_BYTES < 160 * 65_536
    assert status(await said(port, asking(b"/livez"))) == 200
    assert await door.stored_ids() == []


async def test_many_small_headers_are_a_large_head(port: int) -> None:
    assert status(await said(port, b"GET /livez HTTP/1.1\r\n", *[b"X-A: b\r\n" * 2_000] * 40)) in {0, 431}


@pytest.mark.parametrize("begun", [b"", b"G", b"GET /livez HTTP/1.1\r\nHost: w\r\n"])
async def test_who_never_finishes_a_head_is_cut_off(port: int, begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PromptProtocol, "head_within_s", _SOON_S)

    assert await said(port, begun) == b""


async def test_a_second_head_on_the_same_connection_gets_no_more_time(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PromptProtocol, "head_within_s", _SOON_S)

    answer = await said(port, b"GET /livez HTTP/1.1\r\nHost: w\r\n\r\n", b"GET /livez HTTP/1.1\r\nHo")

    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_head_that_comes_in_pieces_is_answered(port: int) -> None:
    whole = asking(b"/livez", b"X-A: " + b"a" * 2_000)

    assert status(await said(port, *[whole[at : at + 100] for at in range(0, len(whole), 100)])) == 200


async def test_who_never_finishes_a_small_body_is_cut_off(
    port: int, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "SMALL_BODY_WITHIN_S", _SOON_S)

    answer = await said(port, b"POST /u/tok-1 HTTP/1.1\r\nHost: w\r\nContent-Length: 26\r\n\r\nList-")

    assert status(answer) == 408
    assert door.unsubscribing.unsubscribed == []


@pytest.mark.parametrize(
    "chunks",
    [
        b"5\r\n{}\r\n0\r\n\r\n",
        b"-1\r\n{}\r\n0\r\n\r\n",
        b"ffffffffffffffffff\r\n{}",
        b"2;" + b"a" * 9 + b"\n{}\r\n0\r\n\r\n",
        b"zz\r\n{}",
    ],
)
async def test_chunks_that_are_not_as_long_as_they_say_store_nothing(port: int, door: Door, chunks: bytes) -> None:
    head = (
        b"POST /v1/events HTTP/1.1\r\nHost: w\r\nConnection: close\r\nAuthorization: Bearer key-of-shop\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )

    def send() -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(head + chunks)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(65_536)

    assert status(await asyncio.to_thread(send)) in {0, 400, 422}
    assert await door.stored_ids() == []
