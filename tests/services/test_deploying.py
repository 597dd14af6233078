"""What is deployed, recorded and rolled back."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from waggle.errors import PermanentFailure, Rejected, TemporaryFailure
from waggle.ports.unit_of_work import UnitOfWork
from waggle.resources import shipped
from waggle.services.bundles import Bundle, context_sha256, read_bundle, read_resource
from waggle.services.deployment import Deploying
from waggle.services.versions import Change, Plan
from waggle.storage.tables import file_contents
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio

CART, OFFER, ACCESS = "abandoned-cart.bpmn", "cart-offer.dmn", "customer-access.bpmn"


@pytest.fixture
def deploying(store: UnitOfWork, clock: HandClock) -> Deploying:
    return Deploying(store, clock, environment="dev", config_dir=shipped("config"))


_DIAGRAM = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0">
  <bpmn:process id="{process_id}" name="{name}" isExecutable="true">
    <bpmn:extensionElements><zeebe:versionTag value="1.0.0" /></bpmn:extensionElements>
    <bpmn:startEvent id="Event_Begun" />
    <bpmn:serviceTask id="Task_OpenEnrolment" name="Open the enrolment" />
    <bpmn:serviceTask id="Task_ReadCart" name="Read the cart" />
    {more}
  </bpmn:process>
</bpmn:definitions>
"""
_DECIDES = """<bpmn:businessRuleTask id="Task_DecideOffer"><bpmn:extensionElements>
      <zeebe:calledDecision decisionId="cart-offer" resultVariable="offer" bindingType="deployment" />
    </bpmn:extensionElements></bpmn:businessRuleTask>"""
_TABLE = """<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="cart-offer-requirements" name="Cart offer">
  <decision id="cart-offer"><extensionElements><zeebe:versionTag value="1.0.0" /></extensionElements></decision>
</definitions>
"""


@pytest.fixture
def first() -> Bundle:
    """Two journeys, and the decision that one of them is bound to."""
    cart = _DIAGRAM.format(process_id="abandoned-cart", name="Abandoned cart", more=_DECIDES)
    access = _DIAGRAM.format(process_id="customer-access", name="Customer access", more="")
    contents = {CART: cart, OFFER: _TABLE, ACCESS: access}
    return Bundle(tuple(read_resource(file, content.encode()) for file, content in contents.items()))


def changed(bundle: Bundle, file: str, *pairs: tuple[str, str], tag: str | None = "1.1.0") -> Bundle:
    """Return *bundle* with some text of one file replaced, under another version tag."""
    resources = []
    for resource in bundle.resources:
        if resource.file == file:
            text = resource.content.decode()
            for old, new in [*pairs, *([(f'value="{resource.version_tag}"', f'value="{tag}"')] if tag else [])]:
                assert old in text
                text = text.replace(old, new)
            resource = read_resource(file, text.encode())  # noqa: PLW2901 -- the one that is replaced
        resources.append(resource)
    return Bundle(tuple(resources))


RENAMED = ('name="Read the cart"', 'name="Look into the cart"')


@pytest.fixture
def second(first: Bundle) -> Bundle:
    """The cart's journey reworded, as 1.1.0."""
    return changed(first, CART, RENAMED)


def of(plan: Plan, file: str) -> Change:
    return next(change for change in plan.changes if change.file == file)


async def test_before_the_first_deployment_everything_is_new(deploying: Deploying, first: Bundle) -> None:
    plan = await deploying.plan(first)

    assert {change.state for change in plan.changes} == {"new"}
    assert of(plan, CART).tag == "1.0.0"


async def test_what_is_in_force_is_unchanged_and_not_recorded_again(
    deploying: Deploying, first: Bundle, store: UnitOfWork
) -> None:
    engine = RememberingEngine()
    for _ in range(2):
        await deploying.deploy(engine, first, by="ada")

    [deployment] = await store.read(lambda tx: tx.versions.newest(10))
    assert (deployment.by, deployment.kind, deployment.environment) == ("ada", "deploy", "dev")
    assert deployment.bundle_sha256 == first.sha256
    assert (await deploying.plan(first)).is_empty
    [entry] = await store.read(lambda tx: tx.audit.of_subject(first.sha256))
    assert (entry.actor, entry.action) == ("ada", "journeys-deployed")


async def test_a_change_is_told_by_element_and_who_runs_stays_where_they_are(
    deploying: Deploying, first: Bundle, second: Bundle, shop: Shop
) -> None:
    await deploying.deploy(RememberingEngine(), first, by="ada")
    await shop.customer()
    await shop.cart()
    enrolment = replace(await shop.enrolment(), state="running", instance_key=7, process_version=1)
    await shop.store.run(lambda tx: tx.enrolments.save(enrolment))

    change = of(await deploying.plan(second), CART)

    assert (change.state, change.tag_before, change.tag, change.version_before) == ("changed", "1.0.0", "1.1.0", 1)
    assert change.elements is not None
    assert change.elements.changed == ('Task_ReadCart "Look into the cart"',)
    assert [(each.version, each.count) for each in change.running] == [(1, 1)]
    assert of(await deploying.plan(second), ACCESS).state == "unchanged"


async def test_other_bytes_under_the_same_version_tag_are_refused_with_the_way_out(
    deploying: Deploying, first: Bundle, store: UnitOfWork
) -> None:
    engine = RememberingEngine()
    await deploying.deploy(engine, first, by="ada")
    reused = changed(first, CART, RENAMED, tag=None)

    with pytest.raises(Rejected, match=r"VERSION_TAG_REUSED(?s:.*)abandoned-cart.bpmn(?s:.*)such as 1\.0\.1"):
        await deploying.deploy(engine, reused, by="ada")
    assert len(engine.deployed[CART]) == 1

    await deploying.deploy(engine, reused, by="ada", same_tag=True)
    assert len(engine.deployed[CART]) == 2


async def test_a_tag_of_long_ago_does_not_come_back_with_other_bytes(
    deploying: Deploying, first: Bundle, second: Bundle
) -> None:
    engine = RememberingEngine()
    for bundle in (first, second):
        await deploying.deploy(engine, bundle, by="ada")

    third = changed(second, CART, ('name="Open the enrolment"', 'name="Open it"'), tag="1.0.0")

    assert "1.0.0" in of(await deploying.plan(third), CART).problem
    assert of(await deploying.plan(first), CART).problem == ""


async def test_a_deployment_whose_record_was_lost_is_made_up_for(
    deploying: Deploying, first: Bundle, store: UnitOfWork
) -> None:
    engine = RememberingEngine()
    await engine.deploy_bytes(first.contents)

    await deploying.deploy(engine, first, by="ada")

    known = await store.read(lambda tx: tx.versions.newest_files())
    assert {each.file.version for each in known.values()} == {1}
    assert len(engine.deployed[CART]) == 1


async def test_nothing_is_recorded_if_the_engine_refuses(
    deploying: Deploying, first: Bundle, store: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waggle.services.deployment._PATIENCE_S", 0.01)
    engine = RememberingEngine()
    engine.away = True

    with pytest.raises(TemporaryFailure, match="ENGINE_UNREACHABLE"):
        await deploying.deploy(engine, first, by="ada")

    assert await store.read(lambda tx: tx.versions.newest(10)) == []


async def test_a_file_that_is_gone_is_told_and_stays(deploying: Deploying, first: Bundle) -> None:
    await deploying.deploy(RememberingEngine(), first, by="ada")

    plan = await deploying.plan(Bundle(first.resources[:2]))

    assert of(plan, ACCESS).state == "gone"
    assert "stays deployed" in of(plan, ACCESS).note


async def test_a_rollback_takes_the_journey_and_what_it_is_bound_to_and_nothing_else(
    deploying: Deploying, first: Bundle, second: Bundle, store: UnitOfWork
) -> None:
    engine = RememberingEngine()
    for bundle in (first, changed(second, OFFER, ('name="Cart offer"', 'name="Offer"'))):
        await deploying.deploy(engine, bundle, by="ada")

    bundle, in_force, before = await deploying.before("abandoned-cart")
    await deploying.deploy(engine, bundle, by="ada", why="too many mails", kind="rollback", same_tag=True)

    assert (in_force.file.version_tag, before.file.version_tag) == ("1.1.0", "1.0.0")
    assert set(bundle.contents) == {CART, OFFER}
    assert bundle.contents == {file: first.contents[file] for file in (CART, OFFER)}
    newest = await store.read(lambda tx: tx.versions.newest_files())
    assert (newest[CART].file.version, newest[CART].file.version_tag) == (3, "1.0.0")
    assert (newest[ACCESS].file.version, newest[ACCESS].deployment.kind) == (2, "deploy")


async def test_rolling_back_again_goes_further_back_and_never_forth(
    deploying: Deploying, first: Bundle, second: Bundle
) -> None:
    engine = RememberingEngine()
    third = changed(second, CART, ('name="Open the enrolment"', 'name="Open it"'), tag="1.2.0")
    for bundle in (first, second, third):
        await deploying.deploy(engine, bundle, by="ada")

    tags = []
    for _ in range(2):
        bundle, _, before = await deploying.before("abandoned-cart")
        await deploying.deploy(engine, bundle, by="ada", kind="rollback", same_tag=True)
        tags.append(before.file.version_tag)

    assert tags == ["1.1.0", "1.0.0"]
    with pytest.raises(Rejected, match="NOTHING_BEFORE"):
        await deploying.before("abandoned-cart")


async def test_only_what_was_deployed_can_be_rolled_back(deploying: Deploying, first: Bundle) -> None:
    with pytest.raises(Rejected, match="JOURNEY_UNKNOWN"):
        await deploying.before("abandoned-cart")

    await deploying.deploy(RememberingEngine(), first, by="ada")
    with pytest.raises(Rejected, match="NOTHING_BEFORE"):
        await deploying.before("abandoned-cart")


def folder_of(bundle: Bundle, tmp_path: Path) -> Path:
    for resource in bundle.resources:
        file = tmp_path / ("decisions" if resource.file.endswith(".dmn") else "journeys") / resource.file
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(resource.content)
    return tmp_path


async def test_an_installation_that_comes_up_is_not_kept_down_by_a_version_tag(
    deploying: Deploying, first: Bundle, tmp_path: Path
) -> None:
    engine = RememberingEngine()
    await deploying.at_start(engine, folder_of(first, tmp_path), by="waggle")

    await deploying.at_start(engine, folder_of(changed(first, CART, RENAMED, tag=None), tmp_path), by="waggle")

    assert len(engine.deployed[CART]) == 2


async def test_what_was_rolled_back_stays_so_when_the_installation_comes_up_again(
    deploying: Deploying, first: Bundle, second: Bundle, tmp_path: Path, store: UnitOfWork
) -> None:
    engine = RememberingEngine()
    await deploying.deploy(engine, first, by="ada")
    folder = folder_of(second, tmp_path)
    await deploying.deploy(engine, second, by="ada")
    bundle, _, _ = await deploying.before("abandoned-cart")
    await deploying.deploy(engine, bundle, by="ada", kind="rollback", same_tag=True)

    await deploying.at_start(engine, folder, by="waggle")
    assert len(engine.deployed[CART]) == 3
    assert engine.deployed[CART][-1] == first.contents[CART]

    # A file that was mended since is deployed.
    mended = changed(second, CART, ('name="Open the enrolment"', 'name="Open it"'), tag="1.2.0")
    await deploying.at_start(engine, folder_of(mended, tmp_path), by="waggle")
    assert engine.deployed[CART][-1] == mended.contents[CART]


async def test_what_is_stored_of_a_deployment_is_compared_with_its_hash(
    deploying: Deploying, first: Bundle, second: Bundle, store: UnitOfWork
) -> None:
    engine = RememberingEngine()
    for bundle in (first, second):
        await deploying.deploy(engine, bundle, by="ada")
    cart = next(each for each in first.resources if each.file == CART)
    await store.run(lambda tx: _damage(tx, cart.sha256))

    with pytest.raises(PermanentFailure, match="CONTENT_DAMAGED"):
        await deploying.before("abandoned-cart")


def _damage(tx: object, sha256: str) -> None:
    # The repositories have no way to change a content, which is the point.
    t = file_contents
    tx.connection.execute(update(t).where(t.c.sha256 == sha256).values(content=b"x"))  # type: ignore[attr-defined]


async def test_a_bundle_is_named_by_its_bytes_and_names_whatever_their_order(first: Bundle, second: Bundle) -> None:
    assert Bundle(first.resources[::-1]).sha256 == first.sha256
    assert second.sha256 != first.sha256


async def test_the_shipped_folder_is_one_bundle(clock: HandClock) -> None:
    clock.advance(timedelta(0))
    bundle = read_bundle(shipped("bpmn"))

    assert all(resource.version_tag for resource in bundle.resources)
    assert {resource.file for resource in bundle.resources} >= {CART, OFFER, ACCESS}


def test_message_templates_and_settings_are_named_by_one_hash(tmp_path: Path) -> None:
    (tmp_path / "journeys").mkdir()
    before = context_sha256(tmp_path)
    (tmp_path / "journeys" / "win-back.toml").write_text("[settings]\n")

    assert context_sha256(tmp_path) != before
