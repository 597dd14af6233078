"""Which elements go where, and what becomes of each instance."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from waggle.domain.enrolment import Enrolment
from waggle.errors import BadSettings, PermanentFailure, Rejected, TemporaryFailure
from waggle.ports.unit_of_work import UnitOfWork
from waggle.ports.versions import Move
from waggle.resources import shipped
from waggle.services.bundles import Bundle, read_resource
from waggle.services.deployment import Deploying
from waggle.services.migrating import ElementMapping, Migrating, Migration, read_mapping_file
from waggle.testing.clock import HandClock
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio

FRAME = """<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0">
  <bpmn:process id="win-back" name="Win back" isExecutable="true">
    <bpmn:extensionElements><zeebe:versionTag value="{tag}" /></bpmn:extensionElements>
    {elements}
  </bpmn:process>
  <bpmn:message id="Message_Clicked" name="message-clicked" />
</bpmn:definitions>"""


def task(element_id: str, task_type: str, name: str = "") -> str:
    definition = f'<bpmn:extensionElements><zeebe:taskDefinition type="{task_type}" /></bpmn:extensionElements>'
    return f'<bpmn:serviceTask id="{element_id}" name="{name}">{definition}</bpmn:serviceTask>'


def event(element_id: str, definition: str, name: str = "") -> str:
    return (
        f'<bpmn:intermediateCatchEvent id="{element_id}" name="{name}"><bpmn:{definition} />'
        "</bpmn:intermediateCatchEvent>"
    )


TIMER, CLICK = "timerEventDefinition", 'messageEventDefinition messageRef="Message_Clicked"'


class Place:
    """One journey, of which versions are deployed one after the other."""

    def __init__(self, store: UnitOfWork, clock: HandClock) -> None:
        self.store = store
        self.clock = clock
        self.engine = RememberingEngine()
        self.deploying = Deploying(store, clock, environment="dev", config_dir=shipped("config"))
        self.migrating = Migrating(store, clock)
        self.made = 0

    async def deploy(self, *elements: str) -> None:
        self.made += 1
        content = FRAME.format(tag=f"{self.made}.0.0", elements="\n".join(elements))
        bundle = Bundle((read_resource("win-back.bpmn", content.encode()),))
        await self.deploying.deploy(self.engine, bundle, by="ada")

    async def run(self, name: str, instance_key: int, version: int | None) -> None:
        enrolment = Enrolment(
            enrolment_id=name,
            journey="win-back",
            business_key=name,
            entry=1,
            customer_id=None,
            cart_id=None,
            held_out=False,
            state="running",
            entered_at=self.clock.now(),
            instance_key=instance_key,
            process_version=version,
        )
        await self.store.run(lambda tx: tx.enrolments.save(enrolment))

    async def plan(self, **given: str) -> Migration:
        return await self.migrating.plan("win-back", None, given)

    async def mapping(self, **given: str) -> ElementMapping:
        [mapping] = (await self.plan(**given)).mappings
        return mapping

    async def move(self, migration: Migration) -> dict[str, str]:
        return {
            move.enrolment_id: move.state
            async for batch in self.migrating.move(self.engine, migration, by="ada")
            for move in batch
        }

    async def version(self, name: str) -> int | None:
        found = await self.store.read(lambda tx: tx.enrolments.get(name))
        assert found is not None
        return found.process_version


@pytest.fixture
async def place(store: UnitOfWork, clock: HandClock) -> Place:
    """Ann and Bo run on version 1."""
    place = Place(store, clock)
    await place.run("ann", 11, 1)
    await place.run("bo", 12, 1)
    return place


async def test_what_has_the_same_id_is_the_same(place: Place) -> None:
    await place.deploy(task("Task_A", "read-cart"), event("Event_W", TIMER))
    await place.deploy(task("Task_A", "read-order"), event("Event_W", TIMER), task("Task_New", "send-message"))

    mapping = await place.mapping()

    assert (mapping.from_version, mapping.instances) == (1, 2)
    assert mapping.same == ("Task_A", "Event_W")
    assert mapping.added == ("Task_New",)
    assert mapping.unmapped == ()


async def test_a_new_element_that_looks_like_a_removed_one_is_proposed(place: Place) -> None:
    await place.deploy(task("Task_A", "read-cart", "Read"), event("Event_W", TIMER))
    await place.deploy(task("Task_B", "read-cart", "Read it"), event("Event_V", TIMER))

    assert (await place.mapping()).proposed == {"Task_A": "Task_B", "Event_W": "Event_V"}


async def test_of_two_that_look_alike_the_name_decides_and_else_nobody(place: Place) -> None:
    await place.deploy(task("Task_A", "read-cart", "Read"), task("Task_C", "read-order", "Look"))
    await place.deploy(
        *(task(f"Task_{each}", "read-cart", name) for each, name in (("B", "Read"), ("D", "Read again"))),
        *(task(f"Task_{each}", "read-order", "") for each in ("E", "F")),
    )

    mapping = await place.mapping()

    assert mapping.proposed == {"Task_A": "Task_B"}
    assert mapping.unmapped == ('Task_C "Look"',)


async def test_the_same_id_that_waits_for_something_else_is_not_the_same(place: Place) -> None:
    await place.deploy(event("Event_W", TIMER, "Time over"))
    await place.deploy(event("Event_W", CLICK))

    mapping = await place.mapping()

    assert mapping.same == ()
    assert mapping.unmapped == ('Event_W "Time over"',)


async def test_what_the_analyst_says_outweighs_what_looks_alike(place: Place) -> None:
    await place.deploy(task("Task_A", "read-cart"), task("Task_K", "send-message"))
    await place.deploy(task("Task_B", "read-cart"), task("Task_K", "send-message"))

    mapping = await place.mapping(Task_A="Task_K")

    assert mapping.whole == {"Task_K": "Task_K", "Task_A": "Task_K"}
    assert mapping.proposed == {}


@pytest.mark.parametrize("given", [{"Task_Z": "Task_B"}, {"Task_A": "Task_Z"}])
async def test_a_mapping_of_what_is_not_there_is_refused(place: Place, given: dict[str, str]) -> None:
    await place.deploy(task("Task_A", "read-cart"))
    await place.deploy(task("Task_B", "read-cart"))

    with pytest.raises(Rejected, match=r"MAPPING_WRONG(?s:.*)Task_Z"):
        await place.plan(**given)


async def test_everybody_moves_once(place: Place) -> None:
    await place.deploy(task("Task_A", "read-cart"))
    await place.deploy(task("Task_A", "read-cart"), task("Task_B", "send-message"))

    migration = await place.plan()
    assert await place.move(migration) == {"ann": "moved", "bo": "moved"}
    assert await place.move(await place.plan()) == {}

    assert [await place.version(name) for name in ("ann", "bo")] == [2, 2]
    assert sorted(place.engine.moved) == [(key, migration.to_key, {"Task_A": "Task_A"}) for key in (11, 12)]
    [entry] = await place.store.read(lambda tx: tx.audit.of_subject("win-back"))
    assert entry.detail == {"to_version": "2", "moved": "2", "refused": "0", "gone": "0"}


async def test_one_that_is_refused_or_gone_stops_no_other_and_is_asked_again_next_time(place: Place) -> None:
    await place.run("cy", 13, 1)
    await place.deploy(task("Task_A", "read-cart"))
    await place.deploy(task("Task_B", "read-cart"))
    place.engine.unmovable = {
        11: PermanentFailure("MIGRATION_REFUSED", "no mapping for Task_A"),
        12: PermanentFailure("INSTANCE_UNKNOWN", "no process instance found"),
    }

    assert await place.move(await place.plan()) == {"ann": "refused", "bo": "gone", "cy": "moved"}
    move = await place.store.read(lambda tx: tx.versions.move_of("ann"))
    assert move is not None
    assert move.why == "no mapping for Task_A"
    assert await place.version("ann") == 1

    place.engine.unmovable = {}
    assert await place.move(await place.plan()) == {"ann": "moved", "bo": "moved"}


async def test_an_engine_that_goes_away_leaves_the_rest_to_the_next_run(place: Place) -> None:
    await place.deploy(task("Task_A", "read-cart"))
    await place.deploy(task("Task_B", "read-cart"))
    place.engine.unmovable = {12: TemporaryFailure("ENGINE_UNREACHABLE")}

    with pytest.raises(TemporaryFailure, match="ENGINE_UNREACHABLE"):
        await place.move(await place.plan())
    assert len(place.engine.moved) <= 1

    place.engine.unmovable = {}
    place.engine.moved.clear()
    assert await place.move(await place.plan()) == {"ann": "moved", "bo": "moved"}
    # What may have been moved is first asked for as one that is there already.
    assert (11, 1002, {"Task_B": "Task_B"}) in place.engine.moved


async def test_who_ended_meanwhile_is_not_taken_for_running(place: Place) -> None:
    await place.deploy(task("Task_A", "read-cart"))
    await place.deploy(task("Task_B", "read-cart"))
    migration = await place.plan()
    ann = await place.store.read(lambda tx: tx.enrolments.get("ann"))
    assert ann is not None
    ended = replace(ann, state="ended", outcome="ordered", ended_at=place.clock.now() + timedelta(seconds=1))
    await place.store.run(lambda tx: tx.enrolments.save(ended))

    assert await place.move(migration) == {"bo": "moved"}
    assert await place.version("ann") == 1


async def test_who_began_before_versions_were_noted_is_taken_for_one_of_the_oldest(place: Place) -> None:
    await place.run("cy", 13, None)
    await place.deploy(task("Task_A", "read-cart"))
    await place.deploy(task("Task_B", "read-cart"))

    migration = await place.plan()

    assert [(mapping.from_version, mapping.instances) for mapping in migration.mappings] == [(None, 1), (1, 2)]
    assert migration.mappings[0].proposed == {"Task_A": "Task_B"}
    assert (await place.move(migration))["cy"] == "moved"


async def test_many_are_moved_a_batch_at_a_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waggle.services.migrating._BATCH", 3)
    for number in range(5):
        await place.run(f"z-{number}", 100 + number, 1)
    await place.deploy(task("Task_A", "read-cart"))
    await place.deploy(task("Task_B", "read-cart"))

    migration = await place.plan()
    sizes = [len(batch) async for batch in place.migrating.move(place.engine, migration, by="ada")]

    assert sizes == [3, 3, 1]


async def test_only_what_was_deployed_is_a_target(place: Place) -> None:
    with pytest.raises(Rejected, match="JOURNEY_UNKNOWN"):
        await place.plan()

    await place.deploy(task("Task_A", "read-cart"))
    with pytest.raises(Rejected, match="VERSION_UNKNOWN"):
        await place.migrating.plan("win-back", 7, {})


def test_a_mapping_file_is_one_line_for_each_element(tmp_path: Path) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text('Task_A = "Task_B"\n')
    assert read_mapping_file(file) == {"Task_A": "Task_B"}

    file.write_text("Task_A = 1\n")
    with pytest.raises(BadSettings, match="MAPPING_WRONG"):
        read_mapping_file(file)


async def test_what_became_of_an_instance_is_kept(place: Place) -> None:
    await place.deploy(task("Task_A", "read-cart"))
    await place.deploy(task("Task_B", "read-cart"))
    await place.move(await place.plan())

    assert await place.store.read(lambda tx: tx.versions.move_of("ann")) == Move(
        enrolment_id="ann",
        journey="win-back",
        instance_key=11,
        from_version=1,
        to_version=2,
        state="moved",
        why="",
        at=place.clock.now(),
    )
