"""The real broker behind TLS, and what it says to a client of the wrong tenant."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from tests.engine.secured import Papers
from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.client import ZeebeClient
from waggle.engine.local import java, processes
from waggle.engine.local.archive import Archives
from waggle.engine.local.cache import Cache
from waggle.engine.local.ports import chosen
from waggle.engine.local.progress import Silent
from waggle.errors import TemporaryFailure
from waggle.ports.journey_engine import EngineMessage
from waggle.testing.engine import skipped_without_its_files

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@dataclass(frozen=True)
class SecuredBroker:
    gateway: GatewayAddress
    monitoring_url: str


@pytest.fixture(scope="module")
def secured_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    home = tmp_path_factory.mktemp("broker")
    papers = Papers.made(home / "papers")
    with skipped_without_its_files():
        distribution = Cache().engine(Silent())
    with chosen(None, with_operate=False) as ports:
        program = java.broker(
            distribution,
            home,
            ports,
            durable=False,
            controlled_clock=False,
            quick=True,
            records=None,
            operate_login=None,
        )
        program = replace(program, environment={**program.environment, **secured_by(papers, home)})
        for name in ("data", "logs", "run", "tmp"):
            (home / name).mkdir(exist_ok=True)
        child = processes.spawn(
            "broker",
            program.command(home, Archives(Cache().folder).options(program)),
            program.environment,
            home / "logs" / "broker.out",
        )
        try:
            gateway = GatewayAddress(f"127.0.0.1:{ports.grpc}", tls=True, ca_file=papers.ca)
            asyncio.run(until_ready(gateway))
            yield SecuredBroker(gateway, f"http://127.0.0.1:{ports.monitoring}")
        finally:
            processes.end([child], 5)


def secured_by(papers: Papers, home: Path) -> dict[str, str]:
    chain, key = home / "server.pem", home / "server.key"
    chain.write_bytes(b"".join(blob.bytes() for blob in papers.server.cert_chain_pems))
    papers.server.private_key_pem.write_to_path(key)
    return {
        "ZEEBE_BROKER_GATEWAY_SECURITY_ENABLED": "true",
        "ZEEBE_BROKER_GATEWAY_SECURITY_CERTIFICATECHAINPATH": str(chain),
        "ZEEBE_BROKER_GATEWAY_SECURITY_PRIVATEKEYPATH": str(key),
    }


async def until_ready(gateway: GatewayAddress) -> None:
    async with asyncio.timeout(240), connect(gateway) as channel:
        while True:
            try:
                if (await ZeebeClient(channel, frozenset()).topology()).is_ready:
                    return
            except TemporaryFailure:
                pass
            await asyncio.sleep(0.2)


async def test_messages_are_published_over_tls(secured_broker: SecuredBroker) -> None:
    async with connect(secured_broker.gateway) as channel:
        engine = ZeebeClient(channel, frozenset())

        assert await engine.publish(EngineMessage("order-placed", "enr-1", "evt-1", 60)) == "published"


async def test_who_speaks_in_the_open_is_not_heard(secured_broker: SecuredBroker) -> None:
    async with connect(GatewayAddress(secured_broker.gateway.address)) as channel:
        with pytest.raises(TemporaryFailure, match="ENGINE_UNREACHABLE"):
            await ZeebeClient(channel, frozenset()).topology()


async def test_a_tenant_that_the_engine_does_not_know_is_named_and_nothing_is_given_up(
    secured_broker: SecuredBroker, tmp_path: Path
) -> None:
    diagram = tmp_path / "x.bpmn"
    diagram.write_text("<x/>")
    async with connect(secured_broker.gateway) as channel:
        engine = ZeebeClient(channel, frozenset(), tenant_id="shop-two")

        with pytest.raises(TemporaryFailure, match=r"ENGINE_REFUSED_TENANT: .*tenant 'shop-two': mend engine\.tenant"):
            await engine.publish(EngineMessage("order-placed", "enr-1", "evt-2", 60))
        with pytest.raises(TemporaryFailure, match="ENGINE_REFUSED_TENANT"):
            await engine.deploy([diagram])


async def until_shown(url: str) -> str:
    """Return the page once it is there: the broker takes calls before it tells how it is."""
    async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as http:
        while True:
            with suppress(httpx.TransportError):
                return (await http.get(url)).text
            await asyncio.sleep(0.2)


async def test_the_broker_counts_incidents_where_our_alert_looks(secured_broker: SecuredBroker) -> None:
    shown = await until_shown(f"{secured_broker.monitoring_url}/actuator/prometheus")

    assert "zeebe_pending_incidents_total" in shown
