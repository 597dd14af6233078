"""Move running instances of a journey to another version of its diagram."""

import asyncio
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from waggle.errors import BadSettings, PermanentFailure, Rejected, TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.journey_engine import JourneyEngine
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.ports.versions import Movable, Move, MoveState, NewestFile
from waggle.services.elements import Element, elements_of

log = get_logger(__name__)

_BATCH = 100
_IN_FLIGHT = 8
_BUSY_TRIES = 5
_BUSY_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementMapping:
    """What becomes of the elements of one version in another."""

    from_version: int | None
    """None: instances that began before versions were noted; taken for the oldest version that is recorded."""
    instances: int
    same: tuple[str, ...]
    """Ids that stand in both and mean the same."""
    given: dict[str, str] = field(default_factory=dict)
    """As the mapping file says."""
    proposed: dict[str, str] = field(default_factory=dict)
    """Removed elements, and the new ones that look like them."""
    unmapped: tuple[str, ...] = ()
    """Removed elements at which an instance may stand: such an instance is refused and stays where it is."""
    added: tuple[str, ...] = ()

    @property
    def whole(self) -> dict[str, str]:
        """What the engine is given."""
        return {each: each for each in self.same} | self.proposed | self.given


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What moving the running instances of a journey would be."""

    journey: str
    to_version: int
    to_key: int
    version_tag: str
    mappings: list[ElementMapping]
    """By version from which instances come, those without a known one first."""

    @property
    def instances(self) -> int:
        """How many there are to move."""
        return sum(mapping.instances for mapping in self.mappings)


class Migrating:
    """Proposes mappings and moves instances, a batch at a time; what was moved is not moved again."""

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def plan(self, journey: str, to_version: int | None, given: Mapping[str, str]) -> Migration:
        """Say which running instances of *journey* would move to *to_version*, the newest without, and how.

        Raises:
            Rejected: JOURNEY_UNKNOWN, VERSION_UNKNOWN, or MAPPING_WRONG: *given* names elements that are not there.
        """
        return await self._store.read(lambda tx: _planned(tx, journey, to_version, given))

    async def move(self, engine: JourneyEngine, migration: Migration, *, by: str) -> AsyncIterator[list[Move]]:
        """Move every instance of *migration* and yield what became of each, a batch at a time.

        Before the engine is asked the intention is stored, so that a run which was killed is taken up by the next: an
        instance of which nobody knows whether it moved is first asked for as one that has.

        Raises:
            TemporaryFailure: the engine cannot be reached; what was moved stays so, and the same command goes on.
        """
        mappings = {mapping.from_version: mapping.whole for mapping in migration.mappings}
        arrived = await self._store.read(lambda tx: _identity(tx, migration))
        after, counts = "", {"moved": 0, "refused": 0, "gone": 0}
        while True:
            batch = await self._store.run(partial(self._begin, migration=migration, after=after))
            if not batch:
                break
            gate = asyncio.Semaphore(_IN_FLIGHT)

            async def one(waiting: _Waiting, gate: asyncio.Semaphore = gate) -> Move:
                async with gate:
                    return await self._move_one(engine, migration, waiting, mappings, arrived)

            moves = await asyncio.gather(*(one(waiting) for waiting in batch))
            await self._store.run(partial(_settle, moves=moves))
            for move in moves:
                counts[move.state] += 1
            yield moves
            after = batch[-1].enrolment.enrolment_id
        if not any(counts.values()):
            return
        await self._store.run(partial(self._note, migration=migration, by=by, counts=counts))
        log.info("instances moved", journey=migration.journey, to_version=migration.to_version, **counts)

    def _begin(self, tx: Transaction, migration: Migration, after: str) -> "list[_Waiting]":
        found = tx.versions.movable(migration.journey, migration.to_version, after, _BATCH)
        batch = [_Waiting(each, _was_asked(tx, each, migration)) for each in found]
        for waiting in batch:
            tx.versions.save_move(self._move(migration, waiting.enrolment, "asked", ""))
        return batch

    async def _move_one(
        self,
        engine: JourneyEngine,
        migration: Migration,
        waiting: "_Waiting",
        mappings: Mapping[int | None, dict[str, str]],
        arrived: Mapping[str, str],
    ) -> Move:
        enrolment = waiting.enrolment
        mapping = mappings.get(enrolment.version)
        if mapping is None:
            # It began between the plan and now.
            return self._move(migration, enrolment, "refused", "not in the plan: run it again")
        if waiting.asked_before:
            try:
                await _asked(engine, enrolment.instance_key, migration.to_key, arrived)
            except PermanentFailure:
                pass
            else:
                return self._move(migration, enrolment, "moved", "")
        try:
            await _asked(engine, enrolment.instance_key, migration.to_key, mapping)
        except PermanentFailure as failure:
            state: MoveState = "gone" if failure.code == "INSTANCE_UNKNOWN" else "refused"
            return self._move(migration, enrolment, state, failure.message)
        return self._move(migration, enrolment, "moved", "")

    def _move(self, migration: Migration, enrolment: Movable, state: MoveState, why: str) -> Move:
        return Move(
            enrolment_id=enrolment.enrolment_id,
            journey=migration.journey,
            instance_key=enrolment.instance_key,
            from_version=enrolment.version,
            to_version=migration.to_version,
            state=state,
            why=why,
            at=self._clock.now(),
        )

    def _note(self, tx: Transaction, migration: Migration, by: str, counts: Mapping[str, int]) -> None:
        detail = {"to_version": str(migration.to_version), **{state: str(count) for state, count in counts.items()}}
        entry = AuditEntry(
            at=self._clock.now(), actor=by, action="journey-migrated", subject=migration.journey, why="-", detail=detail
        )
        tx.audit.add(entry)


@dataclass(frozen=True, slots=True)
class _Waiting:
    enrolment: Movable
    asked_before: bool
    """An earlier run asked the engine to move it there and did not hear the answer."""


def read_mapping_file(file: Path) -> dict[str, str]:
    """Return what a mapping file says: `Element_Old = "Element_New"` a line.

    Raises:
        BadSettings: MAPPING_WRONG.
    """
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings("MAPPING_WRONG", f"{file}: {error}") from error
    if not all(isinstance(target, str) for target in told.values()):
        raise BadSettings("MAPPING_WRONG", f'{file}: write Element_Old = "Element_New", one a line')
    return dict(told)


def _planned(tx: Transaction, journey: str, to_version: int | None, given: Mapping[str, str]) -> Migration:
    history = tx.versions.of_file(f"{journey}.bpmn")
    if not history:
        raise Rejected("JOURNEY_UNKNOWN", f"{journey} was never deployed from here; `waggle journeys` lists them")
    target = next((each for each in history if to_version in {None, each.file.version}), None)
    if target is None:
        known = ", ".join(str(version) for version in sorted({each.file.version for each in history}))
        raise Rejected("VERSION_UNKNOWN", f"{journey} has no version {to_version} that is recorded; there are: {known}")
    new = _elements(tx, target)
    sources: dict[int | None, int] = {}
    for live in tx.versions.live_counts():
        if live.journey == journey and live.state == "running" and live.version != target.file.version:
            sources[live.version] = sources.get(live.version, 0) + live.count
    mappings = []
    for version in sorted(sources, key=lambda each: each or 0):
        # Of one that was never noted the oldest record is the best guess; the engine refuses what does not fit.
        source = next((each for each in history if each.file.version == version), history[-1])
        mappings.append(_mapped(_elements(tx, source), new, given, version, sources[version]))
    _refuse_invented(given, [_elements(tx, each) for each in history], new)
    return Migration(
        journey=journey,
        to_version=target.file.version,
        to_key=target.file.key,
        version_tag=target.file.version_tag,
        mappings=mappings,
    )


def _elements(tx: Transaction, version: NewestFile) -> dict[str, Element]:
    """Return what instances can stand at or wait for in one version."""
    content = tx.versions.content(version.file.sha256)
    if content is None:
        raise PermanentFailure("CONTENT_DAMAGED", f"what is stored of {version.file.file} is not what was deployed")
    return {each.id: each for each in elements_of(content).values() if not each.is_flow}


def _mapped(
    old: Mapping[str, Element],
    new: Mapping[str, Element],
    given: Mapping[str, str],
    version: int | None,
    instances: int,
) -> ElementMapping:
    own = {source: target for source, target in given.items() if source in old}
    same = [each for each in old if each in new and each not in own and _alike(old[each], new[each])]
    removed = [old[each] for each in old if each not in same and each not in own]
    added = [new[each] for each in new if each not in old]
    taken = set(own.values())
    proposed: dict[str, str] = {}
    for element in removed:
        target = _successor(element, [each for each in added if each.id not in taken], {**own, **proposed})
        if target is not None:
            proposed[element.id] = target.id
            taken.add(target.id)
    return ElementMapping(
        from_version=version,
        instances=instances,
        same=tuple(same),
        given=own,
        proposed=proposed,
        unmapped=tuple(str(each) for each in removed if each.rests and each.id not in proposed),
        added=tuple(str(each) for each in added if each.id not in taken),
    )


def _alike(old: Element, new: Element) -> bool:
    """Whether the same id means the same: the engine maps no element to one of another kind."""
    if old.kind != new.kind:
        return False
    # A task may change what it does; an event that waits for something else is another one.
    is_event = old.kind.endswith("Event")
    return not is_event or (old.trait.partition(" ")[0] == new.trait.partition(" ")[0])


def _successor(removed: Element, added: Sequence[Element], mapped: Mapping[str, str]) -> Element | None:
    """Return the one new element that is what *removed* was: same kind and work at the same place."""
    parent = mapped.get(removed.parent, removed.parent)
    attached_to = mapped.get(removed.attached_to, removed.attached_to) if removed.attached_to else None
    fitting = [
        each
        for each in added
        if (each.kind, each.trait, each.parent, each.attached_to) == (removed.kind, removed.trait, parent, attached_to)
    ]
    named = [each for each in fitting if each.name == removed.name]
    return named[0] if len(named) == 1 else fitting[0] if len(fitting) == 1 else None


def _refuse_invented(
    given: Mapping[str, str], olds: Sequence[Mapping[str, Element]], new: Mapping[str, Element]
) -> None:
    for source, target in given.items():
        if not any(source in old for old in olds):
            raise Rejected("MAPPING_WRONG", f"{source}: no version that was deployed has such an element")
        if target not in new:
            raise Rejected("MAPPING_WRONG", f"{source} = {target}: the version to move to has no {target}")


def _identity(tx: Transaction, migration: Migration) -> dict[str, str]:
    """Return the mapping that only an instance takes which is on the target already, or fits there as it is."""
    history = tx.versions.of_file(f"{migration.journey}.bpmn")
    target = next(each for each in history if each.file.version == migration.to_version)
    return {each: each for each in _elements(tx, target)}


def _was_asked(tx: Transaction, enrolment: Movable, migration: Migration) -> bool:
    move = tx.versions.move_of(enrolment.enrolment_id)
    return (
        move is not None
        and move.state == "asked"
        and (move.to_version, move.instance_key) == (migration.to_version, enrolment.instance_key)
    )


def _settle(tx: Transaction, moves: Sequence[Move]) -> None:
    for move in moves:
        if move.state == "moved":
            tx.versions.ran_on(move.enrolment_id, move.to_version)
        tx.versions.save_move(move)


async def _asked(engine: JourneyEngine, instance_key: int, target_key: int, mapping: Mapping[str, str]) -> None:
    """Have the engine move an instance, with patience for one that is just doing something."""
    for left in reversed(range(_BUSY_TRIES)):
        try:
            await engine.migrate_instance(instance_key, target_key, mapping)
        except TemporaryFailure as failure:
            if failure.code != "INSTANCE_BUSY":
                raise
            if not left:
                raise PermanentFailure("INSTANCE_BUSY", failure.message) from failure
            await asyncio.sleep(_BUSY_PAUSE_S)
        else:
            return
