"""Every boundary has a name, and an armed one kills one process, there, once."""

import ast
import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from litestar import Litestar, get
from litestar.params import FromPath

from waggle import services
from waggle.app import App
from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.worker import WorkerRuntime
from waggle.ports.email import Email
from waggle.ports.unit_of_work import Transaction
from waggle.settings import load_settings
from waggle.storage.store import Store, open_store
from waggle.task import declared_task, task
from waggle.testing import facts
from waggle.testing.bench import QUICK
from waggle.testing.chaos.crash_points import CrashPoints
from waggle.testing.chaos.crashing import POINTS
from waggle.testing.chaos.keeper import Keeper, part
from waggle.testing.chaos.probes import ProbedApi, ProbedChannel, ProbedSender, ProbedStore, name_of
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.gateway import FakeGateway
from waggle.testing.journey_engine import RememberingEngine
from waggle.testing.ports import own_ports

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

PASSER_BY = """
import sys
from pathlib import Path
from waggle.testing.chaos.crash_points import CrashPoints

points = CrashPoints(Path(sys.argv[1]))
for point in sys.argv[2:]:
    points.reach(point)
print("lived")
"""

WRITER = """
import asyncio, sys
from pathlib import Path
from typing import cast
from waggle.domain.product import Product
from waggle.storage.store import open_store
from waggle.testing.chaos.crash_points import CrashPoints
from waggle.testing.chaos.crashing import POINTS
from waggle.testing.chaos.keeper import Keeper, part
from waggle.testing.chaos.probes import ProbedStore, reach_of

async def main(url, points):
    store = ProbedStore(open_store(url), reach_of(CrashPoints(Path(points)), "writer"))
    def write(tx):
        tx.products.save(Product(sku="honey"))
    await store.run(write)
    print("acknowledged", flush=True)
    store.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def points(tmp_path: Path) -> CrashPoints:
    found = CrashPoints(tmp_path)
    found.prepare()
    return found


def run(program: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_process_dies_at_an_armed_point_once_and_leaves_its_pid(points: CrashPoints, tmp_path: Path) -> None:
    points.arm("b")
    with subprocess.Popen([sys.executable, "-c", PASSER_BY, tmp_path, "a", "b", "c"]) as first:
        assert first.wait() == -signal.SIGKILL
    assert points.fired() == {"b": first.pid}
    assert run(PASSER_BY, tmp_path, "a", "b", "c").stdout == "lived\n"


def test_of_all_processes_that_come_by_one_dies(points: CrashPoints, tmp_path: Path) -> None:
    points.arm("a")
    crowd = [subprocess.Popen([sys.executable, "-c", PASSER_BY, tmp_path, "a"]) for _ in range(4)]
    assert sorted(each.wait() for each in crowd) == [-signal.SIGKILL, 0, 0, 0]


def test_every_point_that_was_passed_is_known_also_the_one_of_a_death(points: CrashPoints, tmp_path: Path) -> None:
    run(PASSER_BY, tmp_path, "a", "a", "b")
    points.arm("c")
    run(PASSER_BY, tmp_path, "b", "c", "d")
    assert points.seen() == ["a", "b", "c"]


def test_points_that_nobody_reached_are_told_and_harm_no_one_later(points: CrashPoints, tmp_path: Path) -> None:
    points.arm("a")
    points.arm("b")
    run(PASSER_BY, tmp_path, "b")
    assert points.disarm() == {"a"}
    assert run(PASSER_BY, tmp_path, "a").returncode == 0


def test_a_point_that_fired_can_be_armed_again(points: CrashPoints, tmp_path: Path) -> None:
    for _ in range(2):
        points.arm("a")
        assert points.fired() == {}
        assert run(PASSER_BY, tmp_path, "a").returncode == -signal.SIGKILL
        assert points.fired().keys() == {"a"}


@pytest.mark.parametrize(
    ("point", "acknowledged", "stored"),
    [("before", False, False), ("inside", False, False), ("after", False, True), ("", True, True)],
)
def test_what_is_stored_when_a_writer_dies_is_what_its_point_says(
    points: CrashPoints, tmp_path: Path, sqlite_url: str, point: str, *, acknowledged: bool, stored: bool
) -> None:
    points.arm(f"writer.main.write.{point}")
    written = run(WRITER, sqlite_url, tmp_path)
    store = open_store(sqlite_url)
    found = asyncio.run(store.read(lambda tx: tx.products.get("honey")))
    store.close()
    assert (written.stdout == "acknowledged\n", found is not None) == (acknowledged, stored)


class Service:
    async def accept(self) -> Callable[[Transaction], None]:
        def store_it(tx: Transaction) -> None: ...

        return store_it

    async def look(self) -> Callable[[Transaction], int]:
        return lambda tx: 1

    def _sweep(self, limit: int, tx: Transaction) -> None: ...


async def test_a_transaction_is_called_after_its_class_and_function(store: Store) -> None:
    service = Service()
    works: list[Callable[..., object]] = [
        await service.accept(),
        await service.look(),
        service._sweep,
        partial(service._sweep, 3),
    ]
    assert [name_of(work) for work in works] == ["Service.store_it", "Service.look", "Service.sweep", "Service.sweep"]


async def test_the_transactions_of_the_product_are_passed_in_order_with_their_names(store: Store) -> None:
    passed: list[str] = []
    clock = HandClock()
    shop = facts.shop(ProbedStore(store, passed.append), clock, RememberingEngine())
    await shop.customer()
    assert passed[:6] == [f"Gathering.store.{point}" for point in ("before", "inside", "after")] * 2
    assert passed[6:] == [f"Relay.apply_batch.{point}" for point in ("before", "inside", "after")]
    await shop.cart()
    await shop.relay.publish()
    passed.clear()
    assert [await shop.relay.apply_events(), await shop.relay.sweep()] == [0, 0]
    assert passed == [], "a turn with nothing to do is no place to die in"
    clock.advance(timedelta(minutes=2))
    assert await shop.relay.sweep() == 1
    assert passed == [f"Relay.sweep.{point}" for point in ("before", "inside", "after")]


async def test_a_transaction_that_found_nothing_to_do_is_no_place_to_die_in_once_it_has_begun(store: Store) -> None:
    passed: list[str] = []
    shop = facts.shop(ProbedStore(store, passed.append), HandClock(), RememberingEngine())
    # As where another relay was faster between the look and the sweep.
    assert await ProbedStore(store, passed.append).run(shop.relay._sweep) == 0
    assert passed == ["Relay.sweep.before"]


def test_every_transaction_of_the_services_has_a_name_that_no_other_has() -> None:
    found = [each for file in sorted(Path(services.__path__[0]).glob("*.py")) for each in _works_in(file)]
    assert len(found) > 10
    assert [name for name, count in Counter(found).items() if count > 1 or "lambda" in name] == []


def _works_in(file: Path) -> list[str]:
    """Return what is passed to `run` of a store, as class and function; a method once, however often it is passed."""
    works: set[tuple[str, str]] = set()
    for kind in ast.parse(file.read_text()).body:
        if not isinstance(kind, ast.ClassDef):
            continue
        for method in kind.body:
            for call in ast.walk(method):
                match call:
                    case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="_store"), attr="run"), args=[work]):
                        name = ast.unparse(work).removeprefix("self.").strip("_")
                        place = "" if isinstance(work, ast.Attribute) else ast.unparse(method)
                        works.add((f"{kind.name}.{name}", place))
    return [name for name, _ in works]


async def test_a_work_that_fails_passes_no_point_after_it_and_its_error_comes_through(store: Store) -> None:
    passed: list[str] = []

    def fail(tx: Transaction) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        await ProbedStore(store, passed.append).run(fail)
    assert [point.rpartition(".")[2] for point in passed] == ["before"]


async def test_a_mail_passes_points_on_each_side_of_its_hand_over() -> None:
    passed: list[str] = []
    sender = RecordingSender()

    async def note(what: str) -> None:
        passed.append(what)

    sender.when_taken = partial(note, "taken by the server")
    letter = Email(
        to="ada@example.com",
        sender="shop@example.com",
        subject="",
        text="",
        html="",
        message_id="<1@shop>",
        unsubscribe_url=None,
        list_id="shop",
    )
    answer = await ProbedSender(sender, passed.append).send(letter, before_data=partial(note, "noted as handed over"))
    assert answer == "250 accepted as 1"
    assert passed == [
        "EmailSender.before",
        "EmailSender.connected",
        "noted as handed over",
        "EmailSender.handed_over",
        "taken by the server",
        "EmailSender.answered",
    ]


@dataclass(frozen=True, slots=True)
class Greet:
    enrolment_id: str


@dataclass(frozen=True, slots=True)
class Greeted:
    done: bool


@pytest.mark.parametrize("is_streaming", [True, False])
async def test_a_job_passes_points_when_it_comes_and_around_its_outcome(*, is_streaming: bool) -> None:
    passed: list[str] = []

    @task("greet")
    async def greet(job: Greet) -> Greeted:
        passed.append("at work")
        return Greeted(done=True)

    declared = declared_task(greet)
    assert declared is not None
    async with (
        FakeGateway.serving() as gateway,
        ProbedChannel(connect(GatewayAddress(gateway.address)), passed.append) as channel,
    ):
        stop = asyncio.Event()
        worker = WorkerRuntime(channel, [declared], {}, gateway.clock, replace(QUICK, stream=is_streaming))
        running = asyncio.create_task(worker.run(stop))
        if is_streaming:
            await gateway.until(lambda: gateway.open_streams == 1)
        job = await gateway.add_job("greet")
        await gateway.until(lambda: job.state == "completed")
        stop.set()
        await running
    assert passed == [
        "greet.received",
        "at work",
        "greet.CompleteJob.before",
        "greet.CompleteJob.after",
    ]


async def test_an_answer_of_the_api_passes_points_named_after_its_route_and_never_after_a_token() -> None:
    passed: list[str] = []

    @get("/c/{token:str}")
    async def follow(token: FromPath[str]) -> str:
        return "found"

    application = ProbedApi(Litestar([follow], openapi_config=None), passed.append)
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        assert (await client.get("/c/secret")).text == "found"
        assert (await client.get("/nowhere")).status_code == 404
    assert passed == [
        "follow.answer.before",
        "follow.answer.after",
        "unrouted.answer.before",
        "unrouted.answer.after",
    ]


@pytest.mark.guarantee
@pytest.mark.timeout(400)
async def test_an_api_that_dies_around_its_commit_or_answer_keeps_what_it_accepted_once(
    points: CrashPoints, tmp_path: Path, sqlite_url: str
) -> None:
    port = own_ports()["WAGGLE_API__PORT"]
    environment = {
        "WAGGLE_HOME": str(tmp_path / "home"),
        "WAGGLE_DATABASE__URL": sqlite_url,
        "WAGGLE_API__PORT": port,
        POINTS: str(tmp_path),
    }
    app = App(load_settings(environment | {"WAGGLE_LOG__LEVEL": "error"}))
    headers = {"Authorization": f"Bearer {await app.accounts.write_keys.create('shop')}"}
    named = [f"Gathering.store.{where}" for where in ("before", "inside", "after")]
    dying = [f"api.{name}" for name in (*named, "receive.answer.before", "receive.answer.after")]
    async with (
        Keeper([part("api", ["api"], environment)], tmp_path, points=points) as keeper,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as client,
    ):
        for number, point in enumerate(dying):
            await post(client, f"e-{number}")
            points.arm(point)
            await post(client, f"armed-{number}")
            await until(partial(_has_died, keeper, number + 1))
        assert [death.point for death in keeper.deaths] == dying
        assert keeper.falls == []
    stored = [row["event_id"] for row in app.database.tables(["events"])["events"]]
    app.close()
    assert sorted(stored) == sorted(f"{kind}-{number}" for kind in ("e", "armed") for number in range(len(dying)))


def _has_died(keeper: Keeper, times: int) -> bool:
    return len(keeper.deaths) == times


async def post(client: httpx.AsyncClient, event_id: str) -> None:
    """Send an event until it is accepted."""
    event = {"specversion": "1.0", "id": event_id, "type": "consent-given", "data": {"customer_id": "c-1"}}
    # A repeat is told apart from another event by its body, of which the time is a part.
    event["time"] = datetime(2026, 3, 1, tzinfo=UTC).isoformat()
    async with asyncio.timeout(90):
        while True:
            try:
                answer = await client.post("/v1/events", json=event)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                assert answer.status_code in {200, 202}, answer.text
                return


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not condition():  # noqa: ASYNC110 -- no event tells of it
            await asyncio.sleep(0.02)
