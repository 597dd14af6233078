"""What one environment runs goes to another byte for byte, if it passed its scenarios there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from waggle.errors import BadSettings, Rejected
from waggle.resources import shipped
from waggle.services.bundles import Bundle, read_resource
from waggle.services.deployment import Deploying
from waggle.services.promoting import promotable, promote, refuse_unsimulated
from waggle.settings import load_settings, settings_of
from waggle.storage.store import Store, open_store
from waggle.testing.clock import HandClock
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio

_DIAGRAM = """<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0">
  <bpmn:process id="win-back" name="Win back" isExecutable="true">
    <bpmn:extensionElements><zeebe:versionTag value="{tag}" /></bpmn:extensionElements>
    <bpmn:startEvent id="Event_Begun" name="{name}" />
  </bpmn:process>
</bpmn:definitions>"""


def bundle(tag: str = "1.0.0", name: str = "Begun") -> Bundle:
    return Bundle((read_resource("win-back.bpmn", _DIAGRAM.format(tag=tag, name=name).encode()),))


class Environment:
    """A database and an engine of its own."""

    def __init__(self, name: str, file: Path, clock: HandClock) -> None:
        self.name = name
        self.store: Store = open_store(f"sqlite:///{file}")
        self.engine = RememberingEngine()
        self.deploying = Deploying(self.store, clock, environment=name, config_dir=shipped("config"))


@pytest.fixture
def staging(tmp_path: Path, clock: HandClock) -> Iterator[Environment]:
    environment = Environment("staging", tmp_path / "staging" / "waggle.db", clock)
    yield environment
    environment.store.close()


@pytest.fixture
def production(tmp_path: Path, clock: HandClock) -> Iterator[Environment]:
    environment = Environment("production", tmp_path / "production" / "waggle.db", clock)
    yield environment
    environment.store.close()


async def test_the_bytes_that_passed_are_the_bytes_that_arrive(staging: Environment, production: Environment) -> None:
    await staging.deploying.deploy(staging.engine, bundle(), by="ada")
    await staging.deploying.note_green(bundle().sha256, scenarios=40)

    found = await promotable(staging.store, "staging")
    refuse_unsimulated(found)
    await promote(found, production.deploying, production.engine, by="bea")

    assert production.engine.deployed["win-back.bpmn"] == [bundle().resources[0].content]
    [deployment] = await production.store.read(lambda tx: tx.versions.newest(10))
    assert (deployment.kind, deployment.environment, deployment.by) == ("promotion", "production", "bea")
    assert (deployment.bundle_sha256, deployment.why) == (bundle().sha256, "from staging")
    # From there it may go on.
    assert (await promotable(production.store, "production")).scenarios == 40


async def test_what_never_passed_all_scenarios_as_it_is_is_refused(staging: Environment) -> None:
    await staging.deploying.note_green(bundle().sha256, scenarios=40)
    await staging.deploying.deploy(staging.engine, bundle("1.1.0", "Began"), by="ada")

    found = await promotable(staging.store, "staging")

    with pytest.raises(Rejected, match="NEVER_SIMULATED"):
        refuse_unsimulated(found)


async def test_a_version_tag_that_stands_for_other_bytes_there_is_refused(
    staging: Environment, production: Environment
) -> None:
    await production.deploying.deploy(production.engine, bundle(), by="ada")
    await staging.deploying.deploy(staging.engine, bundle(name="Began"), by="ada")
    found = await promotable(staging.store, "staging")

    with pytest.raises(Rejected, match="VERSION_TAG_REUSED"):
        await promote(found, production.deploying, production.engine, by="bea")

    assert len(production.engine.deployed["win-back.bpmn"]) == 1


async def test_an_environment_that_went_back_promotes_nothing(staging: Environment) -> None:
    with pytest.raises(Rejected, match="NOTHING_DEPLOYED"):
        await promotable(staging.store, "staging")
    for tag in ("1.0.0", "1.1.0"):
        await staging.deploying.deploy(staging.engine, bundle(tag), by="ada")
    before, _, _ = await staging.deploying.before("win-back")
    await staging.deploying.deploy(staging.engine, before, by="ada", kind="rollback", same_tag=True)

    with pytest.raises(Rejected, match=r"ROLLED_BACK(?s:.*)win-back.bpmn"):
        await promotable(staging.store, "staging")


def settings(tmp_path: Path, **environment: str) -> dict[str, str]:
    return {"WAGGLE_HOME": str(tmp_path / "here"), **environment}


def test_another_environment_takes_nothing_over_from_here(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://waggle@db.example.com/waggle\n")
    own = load_settings(
        settings(
            tmp_path,
            WAGGLE_ENGINE__ADDRESS="localhost:26500",
            WAGGLE_ENGINE__CLIENT_ID="here",
            WAGGLE_ENVIRONMENTS__PRODUCTION__DATABASE_URL_FILE=str(secret),
            WAGGLE_ENVIRONMENTS__PRODUCTION__ENGINE_ADDRESS="zeebe.example.com:443",
            WAGGLE_ENVIRONMENTS__PRODUCTION__ENGINE_TLS="true",
            WAGGLE_ENVIRONMENTS__PRODUCTION__ENGINE_CLIENT_SECRET="secret-of-there",
        )
    )

    there = settings_of(own, "production")

    assert there.database_url == "postgresql://waggle@db.example.com/waggle"
    assert (there.engine.address, there.engine.tls, there.engine.client_id) == ("zeebe.example.com:443", True, "")
    assert there.engine.client_secret.reveal() == "secret-of-there"
    assert there.deployment.environment == "production"
    assert "secret-of-there" not in repr(own)
    assert settings_of(own, "dev") is own


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({}, "ENVIRONMENT_UNKNOWN"),
        ({"WAGGLE_ENVIRONMENTS__PRODUCTION__ENGINE_ADDRESS": "zeebe.example.com:443"}, "SETTING_MISSING"),
        ({"WAGGLE_ENVIRONMENTS__PRODUCTION__ENGINE_ADRESS": "x"}, "SETTING_UNKNOWN"),
    ],
)
def test_half_of_an_environment_is_none(tmp_path: Path, environment: dict[str, str], code: str) -> None:
    with pytest.raises(BadSettings, match=code):
        settings_of(load_settings(settings(tmp_path, **environment)), "production")


def test_an_environment_may_be_another_home_on_this_machine(tmp_path: Path) -> None:
    own = load_settings(settings(tmp_path, WAGGLE_ENVIRONMENTS__STAGING__HOME=str(tmp_path / "there")))

    there = settings_of(own, "staging")

    assert there.database_url == f"sqlite:///{tmp_path / 'there' / 'waggle.db'}"
    assert there.embedded_engine
