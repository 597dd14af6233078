"""Instances that run while their diagram is replaced: by a new version, by migration, by a rollback."""

import re

import pytest

from waggle.ports.unit_of_work import Transaction
from waggle.ports.versions import Move
from waggle.services.bundles import Bundle, read_bundle, read_resource
from waggle.services.migrating import Migration
from waggle.testing.engine import once_it_can
from waggle.testing.journeys import House

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(300)]

JOURNEY = "abandoned-cart"
CART = f"{JOURNEY}.bpmn"
LOOK = """<bpmn:serviceTask id="Task_LookOnceMore" name="Look once more">
        <bpmn:extensionElements>
          <zeebe:taskDefinition type="read-cart" retries="5" />
          <zeebe:ioMapping>
            <zeebe:input source="=cart_id" target="cart_id" />
            <zeebe:input source="=settings.cart_idle" target="cart_idle" />
            <zeebe:output source="=cart_state" target="cart_state" />
          </zeebe:ioMapping>
        </bpmn:extensionElements>
        <bpmn:incoming>Flow_AwaitOrderToOrderWindowOver</bpmn:incoming>
        <bpmn:outgoing>Flow_OrderWindowOverToRecordNoOrder</bpmn:outgoing>
      </bpmn:serviceTask>"""


@pytest.fixture
def first(house: House) -> Bundle:
    """As it is shipped."""
    return read_bundle(house.app.settings.bpmn_dir)


@pytest.fixture
def second(first: Bundle) -> Bundle:
    """The cart's journey with one step more, one less (the wait for an order), and two renamed."""
    resource = first.of(JOURNEY)
    assert resource is not None
    text = resource.content.decode()
    text = text[: text.index("<bpmndi:BPMNDiagram")] + "</bpmn:definitions>"
    text = re.sub(
        r'<bpmn:intermediateCatchEvent id="Event_OrderWindowOver".*?</bpmn:intermediateCatchEvent>',
        LOOK,
        text,
        count=1,
        flags=re.DOTALL,
    )
    for old, new in (
        ('"Event_OrderWindowOver"', '"Task_LookOnceMore"'),
        ('"Event_ReplyWindowOver"', '"Event_ReplyWindowClosed"'),
        ('"Gateway_ReplyOrSilence"', '"Gateway_Answered"'),
        (f'versionTag value="{resource.version_tag}"', 'versionTag value="9.0.0"'),
    ):
        assert old in text
        text = text.replace(old, new)
    changed = read_resource(CART, text.encode())
    return Bundle(tuple(changed if each.file == CART else each for each in first.resources))


async def waiting(house: House) -> None:
    """Let Cy wait for an order after the reminder, Bea for an answer to the first mail, and Ada's cart be young."""
    await house.shopper("cy")
    await house.fill("cart-cy", "cy")
    await house.wait(days=2, hours=2)
    await house.shopper("bea")
    await house.fill("cart-bea", "bea")
    await house.wait(minutes=25)
    for name in ("ada", "eve"):
        await house.shopper(name)
        await house.fill(f"cart-{name}", name)
    await house.settle()


async def migrated(house: House, migration: Migration) -> dict[str, str]:
    """Move them and return what became of each cart, `moved` or the reason."""
    moves = [move async for batch in house.app.migrating.move(house.client, migration, by="ada") for move in batch]

    def told(tx: Transaction) -> dict[str, str]:
        enrolments = {move.enrolment_id: tx.enrolments.get(move.enrolment_id) for move in moves}
        keys = {name: enrolment.business_key for name, enrolment in enrolments.items() if enrolment is not None}
        return {keys[move.enrolment_id]: move.why or move.state for move in moves}

    return await house.app.store.read(told)


async def version(house: House, name: str) -> int | None:
    found: int | None = (await house.enrolment(f"cart-{name}")).process_version
    return found


def mails_to(house: House, name: str) -> int:
    return sum(mail["To"] == f"{name}@example.com" for mail in house.mails())


async def test_who_runs_on_the_first_version_finishes_on_it_while_others_begin_on_the_second(
    house: House, first: Bundle, second: Bundle
) -> None:
    await house.app.deploying.deploy(house.client, first, by="ada", same_tag=True)
    for name in ("ada", "eve"):
        await house.shopper(name)
        await house.fill(f"cart-{name}", name)
    await house.wait(minutes=25)
    before = await version(house, "ada")
    await house.app.deploying.deploy(house.client, second, by="ada")
    await house.shopper("dan")
    await house.fill("cart-dan", "dan")

    await house.tell("order-placed", order_id="o-1", cart_id="cart-eve", currency="EUR", total_minor=10000)
    await house.wait(days=4)

    assert before is not None
    assert [await version(house, name) for name in ("ada", "eve", "dan")] == [before, before, before + 1]
    assert [(await house.outcome(f"cart-{name}"))[0] for name in ("ada", "eve", "dan")] == [
        *("no_order", "ordered", "no_order")
    ]
    assert [mails_to(house, name) for name in ("ada", "eve", "dan")] == [2, 1, 2]
    assert {"Event_OrderWindowOver", "Task_LookOnceMore"} <= house.visited()


async def test_who_runs_moves_to_the_second_version_and_finishes_on_it(
    house: House, first: Bundle, second: Bundle
) -> None:
    await house.app.deploying.deploy(house.client, first, by="ada", same_tag=True)
    await waiting(house)
    before = await version(house, "ada")
    assert before is not None
    await house.app.deploying.deploy(house.client, second, by="ada")

    migration = await house.app.migrating.plan(JOURNEY, None, {})
    [mapping] = migration.mappings
    assert (mapping.from_version, mapping.instances, migration.to_version) == (before, 4, before + 1)
    assert mapping.proposed == {
        "Gateway_ReplyOrSilence": "Gateway_Answered",
        "Event_ReplyWindowOver": "Event_ReplyWindowClosed",
    }
    assert mapping.unmapped == ('Event_OrderWindowOver "Order window over"',)
    assert mapping.added == ('Task_LookOnceMore "Look once more"',)

    told = await migrated(house, migration)
    assert "no mapping instruction defined for active element with id 'Event_OrderWindowOver'" in told.pop("cart-cy")
    assert told == {"cart-ada": "moved", "cart-bea": "moved", "cart-eve": "moved"}
    assert await version(house, "cy") == before

    # Once more, with a word about those who were refused: only they are asked for.
    again = await house.app.migrating.plan(JOURNEY, None, {"Event_OrderWindowOver": "Event_ReminderDue"})
    assert await migrated(house, again) == {"cart-cy": "moved"}
    assert await migrated(house, await house.app.migrating.plan(JOURNEY, None, {})) == {}

    await house.tell("order-placed", order_id="o-1", cart_id="cart-eve", currency="EUR", total_minor=10000)
    await house.wait(days=4)

    assert [await version(house, name) for name in ("ada", "bea", "cy", "eve")] == [before + 1] * 4
    outcomes = [(await house.outcome(f"cart-{name}"))[0] for name in ("ada", "bea", "cy", "eve")]
    assert outcomes == ["no_order", "no_order", "no_order", "ordered"]
    assert [mails_to(house, name) for name in ("ada", "bea", "cy", "eve")] == [2, 2, 2, 0]
    assert "Event_ReplyWindowClosed" in house.visited()


async def test_an_instance_that_moved_without_anybody_hearing_of_it_is_found_there(
    house: House, first: Bundle, second: Bundle
) -> None:
    await house.app.deploying.deploy(house.client, first, by="ada", same_tag=True)
    await waiting(house)
    await house.app.deploying.deploy(house.client, second, by="ada")
    migration = await house.app.migrating.plan(JOURNEY, None, {})
    bea = await house.enrolment("cart-bea")
    # As a run leaves it that is killed after the engine's answer.
    whole = migration.mappings[0].whole
    await once_it_can(lambda: house.client.migrate_instance(bea.instance_key, migration.to_key, whole))
    asked = Move(
        enrolment_id=bea.enrolment_id,
        journey=JOURNEY,
        instance_key=bea.instance_key,
        from_version=bea.process_version,
        to_version=migration.to_version,
        state="asked",
        why="",
        at=house.now(),
    )
    await house.app.store.run(lambda tx: tx.versions.save_move(asked))

    told = await migrated(house, migration)

    assert told["cart-bea"] == "moved"
    assert await version(house, "bea") == migration.to_version


async def test_after_a_rollback_those_on_either_version_finish_and_new_ones_begin_as_before(
    house: House, first: Bundle, second: Bundle
) -> None:
    await house.app.deploying.deploy(house.client, first, by="ada", same_tag=True)
    await house.shopper("ada")
    await house.fill("cart-ada", "ada")
    await house.settle()
    await house.app.deploying.deploy(house.client, second, by="ada")
    await house.shopper("bea")
    await house.fill("cart-bea", "bea")
    await house.settle()

    bundle, _, _ = await house.app.deploying.before(JOURNEY)
    await house.app.deploying.deploy(house.client, bundle, by="ada", kind="rollback", same_tag=True)
    await house.shopper("cy")
    await house.fill("cart-cy", "cy")
    await house.wait(days=4)

    versions = [await version(house, name) for name in ("ada", "bea", "cy")]
    assert versions[0] is not None
    assert versions == [versions[0], versions[0] + 1, versions[0] + 2]
    assert [(await house.outcome(f"cart-{name}"))[0] for name in ("ada", "bea", "cy")] == ["no_order"] * 3
    assert [mails_to(house, name) for name in ("ada", "bea", "cy")] == [2, 2, 2]
    # The decision that the journey is bound to came along: no incident.
    assert house.simulation.incidents() == 0


async def test_a_paused_journey_sends_what_is_still_valid_once_it_is_resumed(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-ada", "ada")
    await house.wait(minutes=10)

    await house.app.pausing.pause(JOURNEY, by="ada", why="wrong price in the mail")
    await house.wait(hours=2)
    assert house.mails() == []
    await house.shopper("bea")
    await house.fill("cart-bea", "bea")
    await house.settle()
    assert await house.enrolment("cart-bea") is None

    pause = await house.app.pausing.resume(JOURNEY, by="ada", why="mended")
    await house.wait(minutes=20)
    assert pause is not None
    assert pause.kept_out == 1
    assert [mail["To"] for mail in house.mails()] == ["ada@example.com"]
