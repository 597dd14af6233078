"""What leaves the machine is encrypted, or its section says that it need not be."""

from typing import Any

import pytest

from connectors.resend import ResendSettings
from connectors.smtp import SmtpSettings
from waggle.domain.loopback import is_loopback
from waggle.domain.secret import Secret
from waggle.engine.channel import GatewayAddress, connect
from waggle.errors import BadSettings
from waggle.settings import load_settings
from waggle.storage.store import open_engine
from waggle.telemetry import traced

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "LOCALHOST."])
def test_this_machine_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "db.example", "localhost.example", "127.0.0.1.example", "0.0.0.0", ""])  # noqa: S104 -- refused
def test_nothing_else_is_taken_for_it(host: str) -> None:
    assert not is_loopback(host)


async def test_the_engine_on_another_machine_is_not_spoken_to_in_the_open() -> None:
    with pytest.raises(BadSettings, match="PLAINTEXT_REFUSED"):
        connect(GatewayAddress("zeebe.example:26500"))
    for address in ("127.0.0.1:26500", "[::1]:26500", "localhost:26500"):
        await connect(GatewayAddress(address)).close()
    await connect(GatewayAddress("zeebe.example:26500", allow_plaintext=True)).close()


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_a_database_on_another_machine_is_not_reached_in_the_open(mode: str) -> None:
    url = f"postgresql://waggle@db.example/waggle?sslmode={mode}"
    with pytest.raises(BadSettings, match="PLAINTEXT_REFUSED"):
        open_engine(url)
    with pytest.raises(BadSettings, match="PLAINTEXT_REFUSED"):
        open_engine(f"postgresql:///waggle?host=db.example&sslmode={mode}")
    open_engine(url, allow_plaintext=True).dispose()


@pytest.mark.parametrize(
    ("url", "query"),
    [
        ("postgresql://waggle@db.example/waggle", {"sslmode": "verify-full", "sslrootcert": "system"}),
        ("postgresql://db.example/waggle?sslrootcert=/ca.pem", {"sslmode": "verify-full", "sslrootcert": "/ca.pem"}),
        ("postgresql://db.example/waggle?sslmode=require", {"sslmode": "require"}),
        ("postgresql://waggle@127.0.0.1/waggle", {}),
        ("postgresql:///waggle?host=/run/postgresql", {"host": "/run/postgresql"}),
    ],
)
def test_a_database_on_another_machine_has_to_show_a_certificate(url: str, query: dict[str, str]) -> None:
    engine = open_engine(url)

    assert dict(engine.url.query) == query
    engine.dispose()


def test_mail_servers_on_other_machines_are_spoken_to_through_tls() -> None:
    keys: dict[str, Any] = {"host": "mx.example", "port": 25, "security": "none"}
    with pytest.raises(BadSettings, match="PLAINTEXT_REFUSED"):
        SmtpSettings(**keys)
    SmtpSettings(**keys, allow_plaintext=True)
    SmtpSettings(**(keys | {"host": "127.0.0.1"}))
    SmtpSettings(**(keys | {"security": "starttls"}))
    with pytest.raises(BadSettings, match="PLAINTEXT_REFUSED"):
        ResendSettings(api_key=Secret("k"), url="http://api.example")


async def test_spans_are_not_sent_in_the_open() -> None:
    with pytest.raises(BadSettings, match="PLAINTEXT_REFUSED"):
        async with traced("waggle-relay", "http://collector.example:4318"):
            pass


def test_nothing_is_allowed_unless_somebody_says_so() -> None:
    settings = load_settings({})

    assert not settings.database.allow_plaintext
    assert not settings.engine.allow_plaintext
    assert not settings.telemetry.allow_plaintext


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("", True),
        ("postgresql://waggle@127.0.0.1/waggle", True),
        ("postgresql:///waggle?host=/run/postgresql", True),
        ("postgresql://waggle@db.example/waggle", False),
    ],
)
def test_where_other_hosts_share_the_database_the_master_keys_have_to_be_named(url: str, *, here: bool) -> None:
    settings = load_settings({"WAGGLE_DATABASE__URL": url})

    assert (settings.master_key_file is not None) is here
    named = load_settings({"WAGGLE_DATABASE__URL": url, "WAGGLE_PRIVACY__MASTER_KEY_FILE": "/etc/waggle/master.toml"})
    assert str(named.master_key_file) == "/etc/waggle/master.toml"
