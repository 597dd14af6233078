"""`waggle deploy`, `journeys`, `migrate`, `rollback` and `promote`, as an analyst uses them."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine, Said
from tests.cli.place import ROOT, Place
from waggle.domain.enrolment import Enrolment
from waggle.storage.store import Store, open_store
from waggle.testing.clock import HandClock
from waggle.testing.gateway import FakeGateway

pytestmark = pytest.mark.anyio

CART = "abandoned-cart"


@pytest.fixture
async def gateway(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeGateway]:
    async with FakeGateway.serving() as serving:
        monkeypatch.setenv("WAGGLE_ENGINE__ADDRESS", serving.address)
        yield serving


@pytest.fixture
def diagram(tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cart's journey in a folder of one's own."""
    shutil.copytree(ROOT / "bpmn", tmp_path / "bpmn")
    monkeypatch.setenv("WAGGLE_BPMN_DIR", str(tmp_path / "bpmn"))
    return tmp_path / "bpmn" / "journeys" / f"{CART}.bpmn"


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{place.home / 'waggle.db'}")
    yield opened
    opened.close()


def content(diagram: Path) -> bytes:
    return diagram.read_bytes()


def reword(diagram: Path, *, tag: str | None = "7.0.0", name: str = "Open it") -> None:
    text, found = re.subn('(id="Task_OpenEnrolment"[^>]* name=)"[^"]*"', rf'\1"{name}"', diagram.read_text())
    assert found == 1
    if tag is not None:
        head, _, rest = text.partition('<zeebe:versionTag value="')
        text = f'{head}<zeebe:versionTag value="{tag}"{rest[rest.index(chr(34)) + 1 :]}'
    diagram.write_text(text)


async def said(waggle: CommandLine, *arguments: str) -> Said:
    """Run a command beside this loop, in which the gateway answers."""
    return await asyncio.to_thread(waggle, *arguments)


async def test_what_would_change_is_said_without_an_engine_and_deployed_with_one(
    waggle: CommandLine, diagram: Path, gateway: FakeGateway
) -> None:
    assert (await said(waggle, "deploy", "--by", "ada")).code == 0
    asked = gateway.count("DeployResource")
    reword(diagram)

    dry = await said(waggle, "deploy", "--dry-run")
    assert dry.code == 0
    assert gateway.count("DeployResource") == asked
    assert "-> 7.0.0" in dry.out
    assert 'changed: Task_OpenEnrolment "Open it"' in " ".join(dry.out.split())
    assert "1 changed" in dry.out
    assert "Nothing was deployed." in dry.out

    done = await said(waggle, "deploy", "--json", "--by", "ada")
    told = json.loads(done.out)
    assert [change["name"] for change in told["changes"] if change["state"] == "changed"] == [CART]
    assert {each["name"]: each["version"] for each in told["deployed"]}[CART] == 2


async def test_a_version_tag_that_was_not_raised_is_told_with_the_way_out(
    waggle: CommandLine, diagram: Path, gateway: FakeGateway
) -> None:
    await said(waggle, "deploy", "--by", "ada")
    reword(diagram, tag=None)

    dry, refused = [await said(waggle, "deploy", *words) for words in (("--dry-run",), ("--by", "ada"))]
    assert (dry.code, refused.code) == (1, 1)
    assert "VERSION_TAG_REUSED" in refused.err
    assert "raise the tag" in refused.err
    assert "--same-tag" in refused.err

    assert (await said(waggle, "deploy", "--same-tag", "--by", "ada")).code == 0
    # A container that comes up is not stopped by it.
    reword(diagram, tag=None, name="Open it now")
    assert (await said(waggle, "deploy", "--at-start")).code == 0


async def test_journeys_are_listed_with_their_versions_and_who_is_on_them(
    waggle: CommandLine, diagram: Path, gateway: FakeGateway, store: Store
) -> None:
    await said(waggle, "deploy", "--by", "ada")
    await run(store, "ann", 1)
    reword(diagram)
    await said(waggle, "deploy", "--by", "ada")

    shown = await said(waggle, "journeys")
    [line] = [each for each in json.loads((await said(waggle, "journeys", "--json")).out) if each["journey"] == CART]

    assert shown.code == 0
    assert "version 2 (7.0.0), the newest: 0 running" in shown.out
    assert "version 1" in shown.out
    assert [(each["version"], each["running"]) for each in line["versions"]] == [(2, 0), (1, 1)]
    assert (line["deployed_by"], line["pause"]) == ("ada", None)
    # Nobody knows of none, where there is no Operate to ask.
    assert "Incidents are not counted" in shown.out
    assert line["incidents"] is None


async def test_a_journey_is_paused_and_resumed(waggle: CommandLine, place: Place) -> None:
    words = ("--reason", "wrong price in the mail", "--by", "ada")
    assert (await said(waggle, "journeys", "pause", CART, *words)).out == f"{CART} is paused.\n"
    assert (await said(waggle, "journeys", "pause", CART, *words)).out == f"{CART} is paused already.\n"

    shown = await said(waggle, "journeys", "list")
    assert "by ada: wrong price in the mail; 0 kept out" in " ".join(shown.out.split())

    assert "0 were kept out" in (await said(waggle, "journeys", "resume", CART, "--by", "ada")).out
    assert (await said(waggle, "journeys", "resume", CART, "--by", "ada")).out == f"{CART} is not paused.\n"
    assert (await said(waggle, "journeys", "pause", "nobody", *words)).code == 1


async def test_the_version_before_comes_back_in_one_command(
    waggle: CommandLine, diagram: Path, gateway: FakeGateway
) -> None:
    before = content(diagram)
    await said(waggle, "deploy", "--by", "ada")
    assert "NOTHING_BEFORE" in (await said(waggle, "rollback", CART, "--by", "ada")).err
    reword(diagram)
    await said(waggle, "deploy", "--by", "ada")

    dry = await said(waggle, "rollback", CART, "--dry-run")
    assert "from 7.0.0 (version 2) back to" in dry.out
    assert len(gateway.resources[diagram.name]) == 2

    assert (await said(waggle, "rollback", CART, "--by", "ada", "--reason", "too many mails")).code == 0
    assert gateway.resources[diagram.name][-1] == before
    # What comes up again stays back; who deploys brings the folder's again.
    await said(waggle, "deploy", "--at-start")
    assert gateway.resources[diagram.name][-1] == before
    assert "rolled back" in " ".join((await said(waggle, "deploy", "--dry-run")).out.split())
    await said(waggle, "deploy", "--by", "ada")
    assert gateway.resources[diagram.name][-1] == content(diagram)


async def test_a_migration_is_shown_first_and_needs_a_yes(
    waggle: CommandLine, diagram: Path, gateway: FakeGateway, store: Store
) -> None:
    await said(waggle, "deploy", "--by", "ada")
    await run(store, "ann", 1)
    reword(diagram)
    await said(waggle, "deploy", "--by", "ada")

    shown = await said(waggle, "migrate", CART, "--dry-run", "--by", "ada")
    assert "1 from version 1 to version 2 (7.0.0)" in shown.out
    assert "elements stay as they are" in shown.out
    assert gateway.count("MigrateProcessInstance") == 0
    assert "ANSWER_MISSING" in (await said(waggle, "migrate", CART, "--by", "ada", "--json")).err

    moved = json.loads((await said(waggle, "migrate", CART, "--yes", "--by", "ada", "--json")).out)
    assert [move["state"] for move in moved["moves"]] == ["moved"]
    [request] = gateway.requests("MigrateProcessInstance")
    assert (request.processInstanceKey, request.migrationPlan.targetProcessDefinitionKey) == (11, 9)
    assert "Nobody runs elsewhere" in (await said(waggle, "migrate", CART, "--yes", "--by", "ada")).out


async def test_what_one_environment_runs_goes_to_another(
    waggle: CommandLine, diagram: Path, gateway: FakeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAGGLE_ENVIRONMENTS__STAGING__HOME", str(tmp_path / "staging"))
    monkeypatch.setenv("WAGGLE_ENVIRONMENTS__STAGING__ENGINE_ADDRESS", gateway.address)
    assert "NOTHING_DEPLOYED" in (await said(waggle, "promote", "dev", "staging", "--by", "ada")).err
    await said(waggle, "deploy", "--by", "ada")
    assert "NEVER_SIMULATED" in (await said(waggle, "promote", "dev", "staging", "--by", "ada")).err

    dry = await said(waggle, "promote", "dev", "staging", "--unsimulated", "--dry-run", "--by", "ada")
    assert "never simulated green; to staging" in " ".join(dry.out.split())
    done = await said(waggle, "promote", "dev", "staging", "--unsimulated", "--json", "--by", "ada")
    told = json.loads(done.out)
    assert (told["to"], told["same_templates_and_settings"]) == ("staging", True)

    there = open_store(f"sqlite:///{tmp_path / 'staging' / 'waggle.db'}")
    [deployment] = await there.read(lambda tx: tx.versions.newest(5))
    there.close()
    assert (deployment.bundle_sha256, deployment.environment) == (told["bundle"], "staging")


async def run(store: Store, name: str, version: int) -> None:
    """Let somebody be under way on *version*."""
    enrolment = Enrolment(
        enrolment_id=name,
        journey=CART,
        business_key=name,
        entry=1,
        customer_id=None,
        cart_id=None,
        held_out=False,
        state="running",
        entered_at=HandClock().now(),
        instance_key=11,
        process_version=version,
    )
    await store.run(lambda tx: tx.enrolments.save(enrolment))
