"""The clock of the embedded engine."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from waggle.engine.local import LocalClock, clock
from waggle.errors import BadSettings, TemporaryFailure

SET_BACK = timedelta(seconds=2)
"""By what a machine may set its clock back to the right time."""
A_SLOW_MACHINE = timedelta(seconds=30)
"""What a call on loopback takes at most; the broker's clock lags by it."""


class Broker(HTTPServer):
    """Answers for a clock as the engine does; it forgets its offset when told to die."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.offset_ms = 0
        self.added_ms: list[int] = []
        self.is_controlled = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def die(self) -> None:
        self.offset_ms = 0


class _Handler(BaseHTTPRequestHandler):
    server: Broker

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        added_ms = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["offsetMilli"]
        self.server.added_ms.append(added_ms)
        self.server.offset_ms += added_ms
        self._answer()

    def _answer(self) -> None:
        self.send_response(200 if self.server.is_controlled else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"epochMilli": time.time_ns() // 1_000_000 + self.server.offset_ms}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_clock_is_the_walls_while_nothing_was_moved(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    found = LocalClock(tmp_path).now()
    assert before - SET_BACK <= found <= datetime.now(UTC) + SET_BACK


def test_moving_the_clock_moves_the_broker_and_every_reader_alike(tmp_path: Path, broker: Broker) -> None:
    reader = LocalClock(tmp_path)
    began = reader.now()
    clock.advance(tmp_path, broker.url, 3600)
    clock.advance(tmp_path, broker.url, 60)
    assert timedelta(seconds=3660) - SET_BACK <= reader.now() - began < timedelta(seconds=3660) + A_SLOW_MACHINE
    assert 3_630_000 < broker.offset_ms <= 3_660_000


def test_a_broker_that_forgot_its_offset_is_given_it_again(tmp_path: Path, broker: Broker) -> None:
    clock.advance(tmp_path, broker.url, 3600)
    broker.die()
    clock.apply(broker.url, clock.stored_offset_ms(tmp_path))
    assert 3_570_000 < broker.offset_ms <= 3_600_000


def test_applying_the_offset_twice_moves_the_broker_once(tmp_path: Path, broker: Broker) -> None:
    clock.advance(tmp_path, broker.url, 3600)
    clock.apply(broker.url, clock.stored_offset_ms(tmp_path))
    assert 3_570_000 < broker.offset_ms <= 3_600_000


def test_a_move_that_the_broker_missed_is_kept(tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_PAUSE_S", 0)
    with pytest.raises(TemporaryFailure):
        clock.advance(tmp_path, "http://127.0.0.1:1", 60)
    assert clock.stored_offset_ms(tmp_path) == 60_000


def test_the_clock_never_runs_backward(tmp_path: Path, broker: Broker) -> None:
    reader = LocalClock(tmp_path)
    clock.advance(tmp_path, broker.url, 3600)
    ahead = reader.now()
    (tmp_path / "clock.json").unlink()
    assert reader.now() >= ahead
    with pytest.raises(ValueError, match="-1"):
        clock.advance(tmp_path, broker.url, -1)


def test_an_engine_without_a_controlled_clock_says_so(tmp_path: Path, broker: Broker) -> None:
    broker.is_controlled = False
    with pytest.raises(BadSettings) as raised:
        clock.advance(tmp_path, broker.url, 60)
    assert raised.value.code == "CLOCK_NOT_CONTROLLED"
