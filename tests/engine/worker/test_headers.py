from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import pytest

from tests.engine.worker.notes import Note, Noted
from waggle.task import task
from waggle.testing.bench import Diary, working
from waggle.testing.gateway import FakeGateway
from waggle.testing.tasks import call

pytestmark = pytest.mark.anyio

PERSONAL = "jane.doe@example.com"


@dataclass(frozen=True, slots=True)
class Style:
    ink: Literal["black", "blue"]
    pages: int = 1
    is_bound: bool = False
    drying: timedelta = timedelta(minutes=1)


@task("note", headers=Style)
async def note(given: Note, style: Style, diary: Diary) -> Noted:
    await diary.visit(style)
    return Noted(is_noted=True)


async def test_task_headers_come_as_typed_settings(gateway: FakeGateway, open_diary: Diary) -> None:
    job = await gateway.add_job("note")
    job.headers = {"ink": "blue", "pages": "3", "is_bound": "true", "drying": "PT5M", "of-others": "x"}

    async with working(gateway, note, services={Diary: open_diary}):
        await gateway.until(lambda: job.state == "completed")

    assert open_diary.entries == [Style("blue", 3, is_bound=True, drying=timedelta(minutes=5))]


@pytest.mark.parametrize(
    ("headers", "faults"),
    [
        ({}, "ink: expected black-or-blue"),
        ({"ink": PERSONAL, "pages": PERSONAL}, "ink: expected black-or-blue pages: expected int"),
        ({"ink": "blue", "drying": "soon"}, "drying: expected duration"),
    ],
    ids=str,
)
async def test_wrong_headers_are_an_incident_that_names_them_and_no_value(
    open_diary: Diary, headers: dict[str, str], faults: str
) -> None:
    outcome = await call(note, {"enrolment_id": "enr-1"}, headers=headers, services={Diary: open_diary})

    assert (outcome["failed"], outcome["retries"]) == ("HEADERS_REFUSED", 0)
    assert outcome["text"] == f"HEADERS_REFUSED note enr-1 {faults}"
    assert open_diary.entries == []
