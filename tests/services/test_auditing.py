"""Nothing in the audit log can be changed, dropped, swapped or cut off without being found."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from waggle.errors import BadSettings
from waggle.ports.unit_of_work import AuditEntry, Transaction
from waggle.services.auditing import Auditing, as_ecs, read_checkpoints
from waggle.storage.store import Store, open_store
from waggle.testing.clock import HandClock
from waggle.testing.stores import keyring_for

pytestmark = pytest.mark.anyio

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def entry(number: int) -> AuditEntry:
    return AuditEntry(
        at=datetime(2026, 5, 4, 12, number % 60, 30, 123456, tzinfo=UTC),
        actor="kim",
        action="message-settled",
        subject=f"m-{number}",
        why="gefunden im Protokoll, „ja“ ✓",
        detail={"to": "sent", "from": "in_doubt"},
    )


@pytest.fixture
def auditing(store: Store, clock: HandClock) -> Auditing:
    return Auditing(store, clock)


@pytest.fixture
async def filled(store: Store) -> Store:
    for number in range(1, 6):
        await store.run(lambda tx, number=number: tx.audit.add(entry(number)))  # type: ignore[misc]
    return store


def tamper(store: Store, *statements: str) -> None:
    """Do what somebody with access to the database could."""
    with store._engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


async def test_an_untouched_log_is_as_it_was_written(filled: Store, auditing: Auditing) -> None:
    verdict = await auditing.verify()

    assert (verdict.rows, verdict.broken_at) == (5, None)
    assert [each.entry for each in await auditing.newest(2)] == [entry(4), entry(5)]


async def test_an_empty_log_is_as_it_was_written(auditing: Auditing) -> None:
    assert (await auditing.verify([await auditing.checkpoint(KEY)])).broken_at is None


@pytest.mark.parametrize(
    ("statement", "broken_at", "cause"),
    [
        ("UPDATE audit SET why = 'gefunden im Protokoll, „ja“ !' WHERE sequence = 3", 3, "changed"),
        ("UPDATE audit SET actor = 'kin' WHERE sequence = 1", 1, "changed"),
        ("UPDATE audit SET row_hash = upper(row_hash) WHERE sequence = 2", 2, "changed"),
        ("UPDATE audit SET at = '2026-05-04 12:03:30.123457' WHERE sequence = 3", 3, "changed"),
        ("DELETE FROM audit WHERE sequence = 2", 2, "missing"),
        ("DELETE FROM audit WHERE sequence = 1", 1, "missing"),
        ("DELETE FROM audit WHERE sequence >= 4", 4, "cut_off"),
        ("DELETE FROM audit", 1, "cut_off"),
    ],
)
async def test_the_first_row_that_is_not_as_it_was_written_is_named(
    filled: Store, auditing: Auditing, statement: str, broken_at: int, cause: str
) -> None:
    before = await auditing.verify()
    tamper(filled, statement)

    verdict = await auditing.verify()

    assert before.broken_at is None
    assert (verdict.rows, verdict.broken_at, verdict.cause) == (broken_at - 1, broken_at, cause)


async def test_two_rows_that_were_swapped_are_found(filled: Store, auditing: Auditing) -> None:
    tamper(
        filled,
        "UPDATE audit SET sequence = 99 WHERE sequence = 2",
        "UPDATE audit SET sequence = 2 WHERE sequence = 3",
        "UPDATE audit SET sequence = 3 WHERE sequence = 99",
    )

    assert (await auditing.verify()).broken_at == 2


async def test_a_tail_that_was_cut_off_with_care_is_found_by_a_checkpoint_only(
    filled: Store, auditing: Auditing
) -> None:
    checkpoint = await auditing.checkpoint(KEY)
    tamper(
        filled,
        "DELETE FROM audit WHERE sequence > 3",
        "UPDATE audit_head SET sequence = 3, row_hash = (SELECT row_hash FROM audit WHERE sequence = 3)",
    )

    assert (await auditing.verify()).broken_at is None
    verdict = await auditing.verify([checkpoint])
    assert (verdict.broken_at, verdict.cause) == (4, "cut_off")


async def test_a_log_that_was_written_anew_is_found_by_a_checkpoint(filled: Store, auditing: Auditing) -> None:
    checkpoint = await auditing.checkpoint(KEY)
    tamper(filled, "DELETE FROM audit", "DELETE FROM audit_head")
    for number in range(1, 7):
        forged = replace(entry(number), actor="robin")
        await filled.run(lambda tx, forged=forged: tx.audit.add(forged))  # type: ignore[misc]

    assert (await auditing.verify()).broken_at is None
    assert (await auditing.verify([checkpoint])).cause == "checkpoint_differs"


async def test_checkpoints_agree_while_the_log_grows(filled: Store, auditing: Auditing, clock: HandClock) -> None:
    checkpoints = []
    for number in range(6, 9):
        checkpoints.append(await auditing.checkpoint(KEY))
        clock.advance(timedelta(minutes=5))
        await filled.run(lambda tx, number=number: tx.audit.add(entry(number)))  # type: ignore[misc]

    verdict = await auditing.verify(checkpoints)

    assert (verdict.rows, verdict.checkpoints, verdict.broken_at) == (8, 3, None)


async def test_a_checkpoint_that_was_changed_or_signed_by_another_is_refused(filled: Store, auditing: Auditing) -> None:
    made = json.dumps(await told(auditing))
    good = read_checkpoints(f"{made}\n\n{made}\n", KEY.public_key())
    assert len(good) == 2

    for wrong in (made.replace('"sequence": 5', '"sequence": 4'), made.replace('"signature": "', '"signature": "A')):
        with pytest.raises(BadSettings, match="CHECKPOINT_FORGED"):
            read_checkpoints(wrong, KEY.public_key())
    with pytest.raises(BadSettings, match="CHECKPOINT_FORGED"):
        read_checkpoints(made, Ed25519PrivateKey.generate().public_key())
    for unreadable in ("{", '{"sequence": 5}', "nonsense"):
        with pytest.raises(BadSettings, match="CHECKPOINT_UNREADABLE"):
            read_checkpoints(unreadable, KEY.public_key())


async def told(auditing: Auditing) -> dict[str, object]:
    made = await auditing.checkpoint(KEY)
    return {name: getattr(made, name) for name in made.__dataclass_fields__}


async def test_entries_are_found_by_subject_and_time(filled: Store, auditing: Auditing) -> None:
    about = [each.sequence async for each in auditing.entries(subject="m-4")]
    since = [each.sequence async for each in auditing.entries(since=entry(4).at)]

    assert (about, since) == ([4], [4, 5])


async def test_an_entry_for_a_siem_says_who_did_what_when_and_why(filled: Store, auditing: Auditing) -> None:
    [first, *_] = [as_ecs(each) async for each in auditing.entries()]

    assert first["@timestamp"] == "2026-05-04T12:01:30.123456+00:00"
    assert first["user"] == {"name": "kim"}
    assert first["labels"] == {"subject": "m-1", "from": "in_doubt", "to": "sent"}
    assert isinstance(first["event"], dict)
    assert (first["event"]["action"], first["event"]["sequence"]) == ("message-settled", 1)


@pytest.fixture
def another_process(store: Store, database_url: str) -> Iterator[Store]:
    opened = open_store(database_url, keyring=keyring_for(database_url))
    yield opened
    opened.close()


async def test_many_who_write_at_once_make_one_chain_without_gaps(
    store: Store, another_process: Store, auditing: Auditing
) -> None:
    def undone(tx: Transaction) -> None:
        tx.audit.add(entry(0))
        raise LookupError

    async def write(number: int) -> None:
        opened = (store, another_process)[number % 2]
        if number % 10 == 0:
            with pytest.raises(LookupError):
                await opened.run(undone)
        else:
            await opened.run(lambda tx: tx.audit.add(entry(number)))

    await asyncio.gather(*(write(number) for number in range(60)))

    verdict = await auditing.verify()
    assert (verdict.rows, verdict.broken_at) == (54, None)
    assert {each.entry.subject async for each in auditing.entries()} == {f"m-{n}" for n in range(60) if n % 10}
