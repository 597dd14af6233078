"""How a channel is let in: TLS, client certificates, tokens."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from structlog.testing import capture_logs

from tests.engine.secured import Papers, TlsGateway, TokenServer
from waggle.app import App
from waggle.engine.channel import GatewayAddress, OAuthClient, connect
from waggle.engine.client import Topology, ZeebeClient
from waggle.engine.worker import WorkerRuntime
from waggle.errors import BadSettings, TemporaryFailure
from waggle.health import WorkerHealth
from waggle.reaching import engine_answers
from waggle.settings import load_settings
from waggle.testing.bench import QUICK

pytestmark = pytest.mark.anyio

SECRET = "top-secret"
REFUSED = (401, '{"error": "invalid_client", "error_description": "client jane.doe@example.com is unknown"}')


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers.made(tmp_path_factory.mktemp("papers"))


@pytest.fixture
async def gateway(papers: Papers) -> AsyncIterator[TlsGateway]:
    gateway = TlsGateway(papers=papers)
    await gateway.start()
    yield gateway
    await gateway.stop()


@pytest.fixture
def tokens(papers: Papers, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenServer]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(papers.ca))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with TokenServer.serving(papers) as tokens:
        yield tokens


def client_of(tokens: TokenServer) -> OAuthClient:
    return OAuthClient("waggle", SECRET, tokens.url, audience="zeebe")


@asynccontextmanager
async def client(gateway: GatewayAddress) -> AsyncIterator[ZeebeClient]:
    async with connect(gateway) as channel:
        yield ZeebeClient(channel, frozenset(), address=gateway.address)


async def topology(gateway: GatewayAddress) -> Topology:
    async with client(gateway) as engine:
        return await engine.topology()


async def test_a_gateway_of_our_own_authority_is_trusted(gateway: TlsGateway, papers: Papers) -> None:
    assert (await topology(GatewayAddress(gateway.address, tls=True, ca_file=papers.ca))).is_ready


async def test_a_gateway_of_an_unknown_authority_is_told_nothing(gateway: TlsGateway, tmp_path: Path) -> None:
    stranger = Papers.made(tmp_path / "stranger")

    with pytest.raises(TemporaryFailure, match="ENGINE_UNREACHABLE"):
        await topology(GatewayAddress(gateway.address, tls=True, ca_file=stranger.ca))

    assert gateway.calls == []


async def test_a_gateway_that_asks_for_a_certificate_lets_in_who_has_one(gateway: TlsGateway, papers: Papers) -> None:
    await gateway.stop()
    gateway.asks_client = True
    await gateway.start()
    known = GatewayAddress(
        gateway.address, tls=True, ca_file=papers.ca, cert_file=papers.client_cert, key_file=papers.client_key
    )

    assert (await topology(known)).is_ready
    with pytest.raises(TemporaryFailure, match="ENGINE_UNREACHABLE"):
        await topology(GatewayAddress(gateway.address, tls=True, ca_file=papers.ca))


async def test_settings_name_the_files_of_tls(gateway: TlsGateway, papers: Papers, tmp_path: Path) -> None:
    app = app_at(gateway, papers, tmp_path, {})

    assert app.engine.gateway("engine.example:443") == GatewayAddress(
        "engine.example:443", tls=True, ca_file=papers.ca, cert_file=papers.client_cert, key_file=papers.client_key
    )
    _, found = await engine_answers(app)
    assert found.is_ready


@pytest.mark.parametrize(
    ("files", "code", "setting"),
    [
        ({"ca_file": "nowhere.pem"}, "CA_FILE_UNREADABLE", "engine.ca_file"),
        ({"cert_file": "nowhere.pem", "key_file": "client.key"}, "CERT_FILE_UNREADABLE", "engine.cert_file"),
        ({"cert_file": "client.pem", "key_file": "nowhere.pem"}, "KEY_FILE_UNREADABLE", "engine.key_file"),
        ({"cert_file": "client.pem"}, "CERT_WITHOUT_KEY", "engine.key_file is not"),
        ({"key_file": "client.key"}, "CERT_WITHOUT_KEY", "engine.cert_file is not"),
        ({"ca_file": "client.key"}, "CA_FILE_WRONG", "engine.ca_file"),
        ({"cert_file": "client.pem", "key_file": "ca.pem"}, "CERT_FILE_WRONG", "engine.cert_file and engine.key_file"),
        ({"cert_file": "ca.pem", "key_file": "client.key"}, "CERT_FILE_WRONG", "engine.cert_file and engine.key_file"),
    ],
)
async def test_a_file_that_cannot_serve_is_found_before_the_first_call(
    papers: Papers, files: dict[str, str], code: str, setting: str
) -> None:
    folder = papers.ca.parent
    named = {name: folder / file for name, file in files.items()}

    with pytest.raises(BadSettings, match=f"{code}: .*{setting}"):
        connect(replace(GatewayAddress("engine.example:443", tls=True), **named))  # type: ignore[arg-type]


async def test_a_key_behind_a_password_is_refused_and_asks_nobody_at_the_terminal(
    papers: Papers, tmp_path: Path
) -> None:
    locked = tmp_path / "locked.key"
    key = load_pem_private_key(papers.client_key.read_bytes(), None)
    locked.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"sesame"))
    )

    with pytest.raises(BadSettings, match=r"CERT_FILE_WRONG: .*without a password"):
        connect(GatewayAddress("engine.example:443", tls=True, cert_file=papers.client_cert, key_file=locked))


async def test_files_for_a_channel_without_tls_are_a_mistake(papers: Papers) -> None:
    with pytest.raises(BadSettings, match=r"TLS_OFF: engine\.ca_file is set and engine\.tls is not"):
        connect(GatewayAddress(ca_file=papers.ca))


async def test_a_secret_is_sent_to_no_token_server_in_the_open() -> None:
    oauth = OAuthClient("waggle", SECRET, "http://login.example.com/token")

    with pytest.raises(BadSettings, match="TOKEN_URL_INSECURE"):
        connect(GatewayAddress("engine.example:443", tls=True, oauth=oauth))


async def test_one_token_serves_many_channels(gateway: TlsGateway, papers: Papers, tokens: TokenServer) -> None:
    for _ in range(3):
        await topology(GatewayAddress(gateway.address, tls=True, ca_file=papers.ca, oauth=client_of(tokens)))

    assert len(tokens.asked) == 1


async def test_one_token_serves_many_calls(gateway: TlsGateway, papers: Papers, tokens: TokenServer) -> None:
    address = GatewayAddress(gateway.address, tls=True, ca_file=papers.ca, oauth=client_of(tokens))
    async with client(address) as engine:
        await asyncio.gather(*(engine.topology() for _ in range(10)))
        await engine.topology()

    [asked] = tokens.asked
    assert asked["grant_type"] == "client_credentials"
    assert asked["audience"] == "zeebe"
    assert gateway.tokens == ["Bearer token-1"] * 11


async def test_a_token_whose_life_is_not_told_serves_many_calls(
    gateway: TlsGateway, papers: Papers, tokens: TokenServer
) -> None:
    tokens.life_s = None
    async with client(GatewayAddress(gateway.address, tls=True, ca_file=papers.ca, oauth=client_of(tokens))) as engine:
        await engine.topology()
        await engine.topology()

    assert len(tokens.asked) == 1


async def test_a_token_that_runs_out_is_fetched_anew(gateway: TlsGateway, papers: Papers, tokens: TokenServer) -> None:
    tokens.life_s = 5  # less than a call might take
    async with client(GatewayAddress(gateway.address, tls=True, ca_file=papers.ca, oauth=client_of(tokens))) as engine:
        await engine.topology()
        tokens.life_s = 3600
        await engine.topology()
        await engine.topology()

    assert gateway.tokens == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]


async def test_a_token_server_that_refuses_us_is_named_and_not_stormed(
    gateway: TlsGateway, papers: Papers, tokens: TokenServer
) -> None:
    tokens.refusals.append(REFUSED)
    address = GatewayAddress(gateway.address, tls=True, ca_file=papers.ca, oauth=client_of(tokens))
    with capture_logs() as logs:
        async with client(address) as engine:
            for _ in range(5):
                with pytest.raises(TemporaryFailure, match="ENGINE_REFUSED_LOGIN"):
                    await engine.topology()

    assert len(tokens.asked) == 1
    assert gateway.calls == []
    [said] = logs
    assert (said["event"], said["refusal"], said["server"]) == ("no token", "invalid_client", "127.0.0.1")
    assert "jane" not in str(logs)
    assert SECRET not in str(logs)


async def test_a_token_server_that_fails_or_is_away_is_not_a_refusal(
    gateway: TlsGateway, papers: Papers, tokens: TokenServer
) -> None:
    tokens.refusals.append((503, "busy"))
    nobody = OAuthClient("waggle", SECRET, "https://127.0.0.1:1/token")
    for oauth in (client_of(tokens), nobody):
        address = GatewayAddress(gateway.address, tls=True, ca_file=papers.ca, oauth=oauth)
        with pytest.raises(TemporaryFailure, match="TOKEN_SERVER_UNREACHABLE"):
            await topology(address)


async def test_a_worker_whose_login_is_refused_waits_and_says_so(
    gateway: TlsGateway, papers: Papers, tokens: TokenServer, tmp_path: Path
) -> None:
    tokens.refusals.append(REFUSED)
    app = app_at(
        gateway,
        papers,
        tmp_path,
        {
            "WAGGLE_ENGINE__CLIENT_ID": "waggle",
            "WAGGLE_ENGINE__CLIENT_SECRET": SECRET,
            "WAGGLE_ENGINE__TOKEN_URL": tokens.url,
        },
    )
    stop = asyncio.Event()
    with capture_logs() as logs:
        async with app.engine.channel(gateway.address) as channel:
            runtime = WorkerRuntime(channel, [app.tasks["read-cart"]], AnyService(), gateway.clock, QUICK)
            running = asyncio.create_task(runtime.run(stop))
            await until(lambda: any(line["event"] == "poll failed" for line in logs))
            # At the pace of other troubles there would be many by now.
            await asyncio.sleep(0.3)
            stop.set()
            await running
        health = WorkerHealth(lambda: engine_answers(app), silent_limit_s=100)
        health.runtime = runtime
        runtime._is_draining = False
        with pytest.raises(TemporaryFailure, match="ENGINE_REFUSED_LOGIN"):
            await health.check_ready()

    assert [line["log_level"] for line in logs if line["event"] == "poll failed"] == ["warning"]


class AnyService(dict[type, object]):
    """Has whatever a task needs: no job ever comes."""

    def __contains__(self, needed: object) -> bool:
        return True

    def __missing__(self, needed: type) -> object:
        return needed


def app_at(gateway: TlsGateway, papers: Papers, home: Path, more: dict[str, str]) -> App:
    return App(
        load_settings(
            {
                "WAGGLE_HOME": str(home),
                "WAGGLE_ENGINE__ADDRESS": gateway.address,
                "WAGGLE_ENGINE__TLS": "true",
                "WAGGLE_ENGINE__CA_FILE": str(papers.ca),
                "WAGGLE_ENGINE__CERT_FILE": str(papers.client_cert),
                "WAGGLE_ENGINE__KEY_FILE": str(papers.client_key),
                **more,
            }
        )
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 -- a log tells nobody
            await asyncio.sleep(0.02)
