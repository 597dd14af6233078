import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from waggle.demo.journal import read_journal
from waggle.demo.plots import plan
from waggle.demo.shop_process import ShopGoneError, ShopOpening, ShopProcess

pytestmark = pytest.mark.anyio

STARTS_AT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


class Handler(BaseHTTPRequestHandler):
    """Takes in every event and has no mails."""

    def do_GET(self) -> None:
        self.answer(200, b"[]")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert isinstance(self.server, Waggle)
        self.answer(self.server.take(body), b"{}")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class calls it that
        pass


class Waggle(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.events: dict[str, object] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take(self, event: dict[str, object]) -> int:
        known = self.events.setdefault(str(event["id"]), event)
        return 202 if known is event else 200 if known == event else 409


@pytest.fixture
def waggle() -> Iterator[Waggle]:
    with Waggle() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def opening(waggle: Waggle, folder: Path) -> ShopOpening:
    return ShopOpening(waggle.address, waggle.address, "key-1", 20, 1, STARTS_AT, folder / "journal.jsonl")


async def test_the_shop_plays_in_a_process_of_its_own_and_keeps_a_journal(waggle: Waggle, tmp_path: Path) -> None:
    until = STARTS_AT + timedelta(hours=3)
    scenario = plan(20, 1, STARTS_AT)

    async with ShopProcess.opened(opening(waggle, tmp_path)) as shop:
        first = await shop.play(STARTS_AT)
        second = await shop.play(until)

    due = [action for action in scenario.actions if action.at <= until]
    assert first.sent + second.sent == len(due)
    assert first.next_at is not None
    deeds = read_journal(tmp_path / "journal.jsonl")
    assert [deed.answer for deed in deeds] == [deed.expected for deed in deeds]
    assert len(deeds) == len([action for action in due if not action.unless_ordered])


async def test_stragglers_come_when_they_are_called(waggle: Waggle, tmp_path: Path) -> None:
    async with ShopProcess.opened(opening(waggle, tmp_path)) as shop:
        await shop.play(STARTS_AT)
        before = len(waggle.events)
        await shop.admit(2, STARTS_AT)
        await shop.admit(2, STARTS_AT)

    # Each says who they are, agrees, and fills a cart.
    assert len(waggle.events) - before == 4 * 3


async def test_a_shop_that_ended_is_not_waited_for(waggle: Waggle, tmp_path: Path) -> None:
    folder_that_is_missing = tmp_path / "gone"

    with pytest.raises(ShopGoneError):
        async with ShopProcess.opened(opening(waggle, folder_that_is_missing)) as shop:
            await shop.play(STARTS_AT)
