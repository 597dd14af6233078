"""Operate beside the broker."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from waggle.engine import local
from waggle.engine.local import EngineOptions, RunningEngine

# The first start on a machine writes the search store's schema and makes class archives.
pytestmark = [pytest.mark.operate, pytest.mark.engine, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def engine_with_operate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    home: Path = tmp_path_factory.mktemp("operate")
    try:
        yield local.start(EngineOptions(home, durable=False))
    finally:
        local.stop(home)


def logs_in(engine: RunningEngine, user: str, password: str) -> bool:
    web = f"http://127.0.0.1:{engine.ports.web}"
    with httpx.Client(base_url=web, trust_env=False, timeout=30) as browser:
        browser.post("/api/login", data={"username": user, "password": password})
        return browser.get("/api/authentications/user").status_code == httpx.codes.OK


def test_operate_is_entered_with_the_generated_password_alone(engine_with_operate: RunningEngine) -> None:
    engine = engine_with_operate
    assert engine.operate_user
    assert engine.operate_password
    assert engine.operate_password not in repr(engine)
    assert logs_in(engine, engine.operate_user, engine.operate_password)
    for well_known in ("demo", "view", "act", engine.operate_user):
        assert not logs_in(engine, well_known, well_known)
    assert (engine.home / "operate-password").stat().st_mode & 0o077 == 0


def test_engine_operate_and_search_store_listen_on_loopback_only(engine_with_operate: RunningEngine) -> None:
    engine = engine_with_operate
    listening = [
        found
        for pid in engine.pids.values()
        for found in psutil.Process(pid).net_connections("tcp")
        if found.status == psutil.CONN_LISTEN
    ]
    assert {found.laddr.ip.removeprefix("::ffff:") for found in listening} == {"127.0.0.1"}
    assert {found.laddr.port for found in listening} == set(engine.ports.used(with_operate=True).values())
