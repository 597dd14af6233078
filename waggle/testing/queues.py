"""pytest fixtures `rabbitmq_server` and `kafka_server`: the real ones, each once for the whole session."""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
import tomllib
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import aio_pika
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from waggle.engine.local import processes
from waggle.engine.local.artefacts import bundle_of
from waggle.engine.local.cache import Cache
from waggle.engine.local.java import JAVA
from waggle.engine.local.progress import Silent
from waggle.testing.engine import skipped_without_its_files
from waggle.testing.ports import ports_for_good

LOOPBACK = "127.0.0.1"
_PINNED = Path(__file__).with_name("kafka.toml")
_READY_WITHIN_S = 300.0
_END_WITHIN_S = 15.0
_LOOK_EVERY_S = 0.1
_DEBIAN = Path("/usr/lib/rabbitmq/bin")


class _Server:
    """A process of ours on loopback that can be ended or killed and comes back on the same port with its data."""

    port: int

    def __init__(self, name: str, log: Path) -> None:
        self.log = log
        self._name = name
        self._child: processes.Child | None = None

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        raise NotImplementedError

    async def answers(self) -> None:
        """Return if it does, once somebody listens; raise anything if it does not."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it and return once it answers.

        Raises:
            AssertionError: it ended, or does not answer in time; its log says why.
        """
        self._child = processes.spawn(self._name, self.command(), self.environment(), self.log)
        give_up_at_s = time.monotonic() + _READY_WITHIN_S
        while not (_is_open(self.port) and _worked(self.answers)):
            assert self._child.process() is not None, self.log.read_text("utf-8", "replace")
            assert time.monotonic() < give_up_at_s, self.log.read_text("utf-8", "replace")
            time.sleep(_LOOK_EVERY_S)

    def stop(self) -> None:
        """Ask it to end."""
        processes.end(self._family(), _END_WITHIN_S)

    def kill(self) -> None:
        """End it as a loss of power would."""
        processes.end(self._family(), 0)

    def _family(self) -> list[processes.Child]:
        """Return what was started and what that started: RabbitMQ begins as a shell script that waits for it."""
        process = self._child.process() if self._child is not None else None
        if process is None:
            return []
        family = [process, *process.children(recursive=True)]
        return [processes.Child(self._name, each.pid, each.create_time()) for each in family]


def _is_open(port: int) -> bool:
    # Asked first, since the libraries write a line for each refusal.
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def _worked(answers: Callable[[], Awaitable[None]]) -> bool:
    async def asked() -> bool:
        try:
            async with asyncio.timeout(5):
                await answers()
        except Exception:  # noqa: BLE001 -- whatever it is, the server is not ready
            return False
        return True

    # In a thread of its own: the tests' loop belongs to their runner.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, asked()).result()


class RabbitmqServer(_Server):
    """RabbitMQ of this machine, as a node of its own with its own port mapper."""

    def __init__(self, program: Path, folder: Path) -> None:
        super().__init__("rabbitmq", folder / "server.log")
        self._program = program
        self._folder = folder
        self.port, self._distribution_port, self._mapper_port = ports_for_good(3)
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {LOOPBACK}:{self.port}\n"
            "disk_free_limit.absolute = 10MB\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n",
            "utf-8",
        )
        (folder / "plugins").write_text("[].\n", "utf-8")

    @property
    def url(self) -> str:
        """Where it listens, with its only user."""
        return f"amqp://guest:guest@{LOOPBACK}:{self.port}/"

    def command(self) -> Sequence[str]:
        return [str(self._program)]

    def environment(self) -> Mapping[str, str]:
        folder = self._folder
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(folder),  # of the cookie: a node of somebody else's has another one
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": f"waggle{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
        }

    async def answers(self) -> None:
        async with await aio_pika.connect(self.url):
            pass

    def end_mapper(self) -> None:
        """End the port mapper too, which a node starts and leaves behind."""
        mapper = shutil.which("epmd")
        if mapper is not None:
            subprocess.run(
                [mapper, "-port", str(self._mapper_port), "-kill"],
                env={"ERL_EPMD_RELAXED_COMMAND_CHECK": "1"},
                capture_output=True,
                check=False,
            )


class KafkaServer(_Server):
    """One node of Kafka that is broker and controller, on the Java runtime of the engine."""

    def __init__(self, jars: Path, folder: Path) -> None:
        super().__init__("kafka", folder / "server.log")
        self._folder = folder
        self._jars = jars
        self.port, self._controller_port = ports_for_good(2)
        (folder / "server.properties").write_text(
            "\n".join(f"{name}={value}" for name, value in self._properties().items()), "utf-8"
        )
        self._format()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{LOOPBACK}:{self.port}"

    def command(self) -> Sequence[str]:
        return self._java("kafka.Kafka", str(self._folder / "server.properties"))

    def environment(self) -> Mapping[str, str]:
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    async def answers(self) -> None:
        async with _admin(self.address) as admin:
            await admin.list_topics()

    async def create_topic(self, name: str, *, partitions: int = 1) -> None:
        """Return once *name* is there."""
        async with _admin(self.address) as admin:
            await admin.create_topics([NewTopic(name, partitions, 1)])

    def _format(self) -> None:
        node = str(uuid.uuid4())
        arguments = ("format", "-t", node, "-c", str(self._folder / "server.properties"))
        subprocess.run(
            self._java("kafka.tools.StorageTool", *arguments), env=self.environment(), capture_output=True, check=True
        )

    def _java(self, main: str, *arguments: str) -> list[str]:
        options = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        quiet = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",)
        return [str(JAVA), *options, *quiet, "-cp", f"{self._jars}/*", main, *arguments]

    def _properties(self) -> dict[str, str | int]:
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{LOOPBACK}:{self._controller_port}",
            "listeners": f"PLAINTEXT://{LOOPBACK}:{self.port},CONTROLLER://{LOOPBACK}:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": f"{self._folder / 'data'}",
            "num.partitions": 1,
            "offsets.topic.num.partitions": 1,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            # Killed consumers, and a broker that was killed itself, are missed soon.
            "group.min.session.timeout.ms": 1000,
            "broker.session.timeout.ms": 2000,
            "broker.heartbeat.interval.ms": 500,
        }


class _admin:  # noqa: N801 -- used as a context, like a function
    def __init__(self, address: str) -> None:
        self._client = AIOKafkaAdminClient(bootstrap_servers=address)

    async def __aenter__(self) -> AIOKafkaAdminClient:
        try:
            await self._client.start()
        except BaseException:
            await self._client.close()
            raise
        return self._client

    async def __aexit__(self, *failure: object) -> None:
        await self._client.close()


@contextmanager
def _short_folder(name: str) -> Iterator[Path]:
    """Give a folder whose path is short: Erlang and Java name sockets and files after it."""
    with tempfile.TemporaryDirectory(prefix=f"waggle-{name}-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitmqServer]:
    """Start a RabbitMQ of our own; skips, naming the package, where it is not installed."""
    program = _rabbitmq_program()
    if program is None:
        pytest.skip("RabbitMQ is not installed: apt-get install rabbitmq-server")
    with _short_folder("rabbitmq") as folder:
        server = RabbitmqServer(program, folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
            server.end_mapper()


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[KafkaServer]:
    """Start a Kafka of our own from its pinned files, which are fetched on first use."""
    pins = tomllib.loads(_PINNED.read_text("utf-8"))["kafka"]
    with skipped_without_its_files():
        jars = Cache().laid_out(bundle_of("kafka", pins, unpacked=False), Silent())
    with _short_folder("kafka") as folder:
        server = KafkaServer(jars, folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _rabbitmq_program() -> Path | None:
    """Return the server's own program: Debian's wrapper for it runs as another user only."""
    wrapper = shutil.which("rabbitmq-server") or shutil.which("rabbitmq-server", path=str(_DEBIAN))
    if wrapper is None:
        return None
    own = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    return own[-1] if own else Path(wrapper)
