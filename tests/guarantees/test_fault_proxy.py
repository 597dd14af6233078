"""The faults are what they say: each seen from both ends of the line."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.client import ZeebeClient
from waggle.ports.journey_engine import EngineMessage
from waggle.testing.chaos.fault_proxy import LOOPBACK, FaultProxy
from waggle.testing.gateway import FakeGateway
from waggle.testing.ports import kept_ports

pytestmark = pytest.mark.anyio

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Target:
    """Answers every line with the same line in capitals, and remembers what came."""

    def __init__(self) -> None:
        self.received = b""
        self.broken_off = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while piece := await reader.read(65536):
                self.received += piece
                self._changed.set()
                if piece.endswith(b"\n"):
                    writer.write(self.received if piece == b"replay\n" else piece[-100:].upper())
        except ConnectionError:
            self.broken_off += 1
        finally:
            self._changed.set()
            self._open.discard(writer)
            writer.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def hang_up(self) -> None:
        for writer in self._open:
            writer.close()


@asynccontextmanager
async def line() -> AsyncIterator[tuple[Target, FaultProxy]]:
    target = Target()
    server = await asyncio.start_server(target.serve, LOOPBACK, 0)
    try:
        async with FaultProxy(LOOPBACK, server.sockets[0].getsockname()[1]) as proxy:
            yield target, proxy
    finally:
        target.hang_up()
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def client(proxy: FaultProxy) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def ask(connection: Connection, line: bytes) -> bytes:
    reader, writer = connection
    writer.write(line)
    async with asyncio.timeout(60):
        return await reader.readuntil(b"\n")


async def is_broken(attempt: Awaitable[bytes]) -> bool:
    try:
        async with asyncio.timeout(60):
            return await attempt == b""
    except (ConnectionError, asyncio.IncompleteReadError):
        return True


async def test_without_faults_everything_comes_through_in_both_directions() -> None:
    large = b"x" * 3_000_000 + b"\n"
    async with line() as (_, proxy), client(proxy) as (reader, writer):
        await ask((reader, writer), large)
        writer.write(b"replay\n")
        assert await reader.readexactly(len(large) + 7) == large + b"replay\n"


async def test_a_client_that_has_said_all_still_hears_the_answer() -> None:
    async with line() as (_, proxy), client(proxy) as (reader, writer):
        writer.write(b"last words\n")
        writer.write_eof()
        assert await reader.read() == b"LAST WORDS\n"


async def test_latency_holds_each_piece_up_in_both_directions() -> None:
    async with line() as (_, proxy), client(proxy) as one:
        await ask(one, b"quick\n")
        proxy.latency_s = 0.1
        began_s = asyncio.get_running_loop().time()
        assert await ask(one, b"slow\n") == b"SLOW\n"
        assert asyncio.get_running_loop().time() - began_s >= 0.2


async def test_a_reset_breaks_open_connections_on_both_sides_and_lets_new_ones_in() -> None:
    async with line() as (target, proxy), client(proxy) as old:
        await ask(old, b"hello\n")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await ask(old, b"anybody there\n")
        await target.until(lambda: target.broken_off == 1)
        async with client(proxy) as fresh:
            assert await ask(fresh, b"again\n") == b"AGAIN\n"


@pytest.mark.parametrize("size_bytes", [0, 1, 7, 100_000])
async def test_a_cut_on_the_way_up_gives_the_target_that_many_bytes_and_breaks_off(size_bytes: int) -> None:
    async with line() as (target, proxy):
        proxy.cut_after(size_bytes, "up")
        async with client(proxy) as one:
            assert await is_broken(ask(one, b"y" * 200_000 + b"\n"))
        await target.until(lambda: target.broken_off == 1)
        assert target.received == b"y" * size_bytes


async def test_a_cut_on_the_way_down_counts_from_when_it_was_set() -> None:
    async with line() as (target, proxy), client(proxy) as (reader, writer):
        await ask((reader, writer), b"before\n")
        proxy.cut_after(3, "down")
        writer.write(b"answered\n")
        assert await reader.readexactly(3) == b"ANS"
        assert await is_broken(reader.read())
        assert target.received == b"before\nanswered\n"


async def test_a_black_hole_swallows_on_old_and_new_connections_and_says_nothing() -> None:
    async with line() as (target, proxy), client(proxy) as old:
        await ask(old, b"hello\n")
        proxy.black_hole()
        async with client(proxy) as fresh:
            for reader, writer in (old, fresh):
                writer.write(b"swallowed\n")
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await reader.read(1)
            assert target.received == b"hello\n"

            await proxy.heal()
            assert await is_broken(fresh[0].read())
        assert await is_broken(old[0].read())
        async with client(proxy) as healed:
            assert await ask(healed, b"back\n") == b"BACK\n"


async def test_a_dropped_reply_leaves_the_request_done_and_the_client_without_an_answer() -> None:
    async with line() as (target, proxy), client(proxy) as one:
        await ask(one, b"first\n")
        proxy.drop_reply()
        assert await is_broken(ask(one, b"second\n"))
        assert target.received == b"first\nsecond\n"
        assert proxy.replies_dropped == 1
        async with client(proxy) as again:
            assert await ask(again, b"third\n") == b"THIRD\n"


async def test_only_the_reply_to_the_request_that_was_meant_is_dropped() -> None:
    async with line() as (_, proxy):
        proxy.drop_reply(after=b"\r\n.\r\n")
        async with client(proxy) as one:
            assert await ask(one, b"mail from\r\n") == b"MAIL FROM\r\n"
            reader, writer = one
            # What is looked for comes in two pieces.
            writer.write(b"content\r\n")
            assert await reader.readuntil(b"\n") == b"CONTENT\r\n"
            assert await is_broken(ask(one, b".\r\n"))
        assert proxy.replies_dropped == 1


async def test_a_closed_door_refuses_newcomers_and_keeps_guests() -> None:
    async with line() as (_, proxy), client(proxy) as guest:
        await ask(guest, b"hello\n")
        await proxy.refuse()
        await proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOOPBACK, proxy.port)
        assert await ask(guest, b"still here\n") == b"STILL HERE\n"

        await proxy.heal()
        async with client(proxy) as fresh:
            assert await ask(fresh, b"open\n") == b"OPEN\n"


async def test_a_target_that_is_away_is_away_for_the_client_too() -> None:
    with kept_ports(1) as [port]:
        async with FaultProxy(LOOPBACK, port) as proxy, client(proxy) as (reader, _):
            assert await is_broken(reader.read())


async def test_nothing_is_open_after_the_end() -> None:
    async with line() as (target, proxy), client(proxy) as one:
        await ask(one, b"hello\n")
        async with FaultProxy(LOOPBACK, proxy.port) as second, client(second) as two:
            await ask(two, b"hello\n")
            assert (proxy.connections, second.connections) == (2, 1)
        assert await is_broken(two[0].read())
        await target.until(lambda: target.broken_off == 1)
        assert proxy.connections == 1


async def test_a_lost_answer_of_the_engine_does_not_make_a_second_message() -> None:
    message = EngineMessage("cart-abandoned", "enr-1", "enr-1", 600)
    async with FakeGateway.serving() as gateway:
        host, _, port = gateway.address.partition(":")
        async with FaultProxy(host, int(port)) as proxy, connect(GatewayAddress(f"{LOOPBACK}:{proxy.port}")) as channel:
            client = ZeebeClient(channel, frozenset())
            assert (await client.topology()).is_ready
            proxy.drop_reply()
            assert await client.publish(message) in {"published", "already_buffered"}
            assert proxy.replies_dropped == 1
        assert gateway.messages == {("cart-abandoned", "enr-1", "enr-1")}
