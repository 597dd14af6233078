import re
from typing import get_args

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from waggle.api.problem import KINDS, problem_uri
from waggle.services.intake import RefusalCode

pytestmark = pytest.mark.anyio

Client = AsyncTestClient[Litestar]


def test_every_reason_to_refuse_an_event_is_explained() -> None:
    assert set(get_args(RefusalCode)) <= KINDS.keys()


@pytest.mark.parametrize("code", KINDS)
async def test_every_problem_has_a_page_under_its_type(client: Client, code: str) -> None:
    response = await client.get(problem_uri(code))

    assert response.status_code == 200
    assert f"<h1>{KINDS[code].title}</h1>" in response.text
    assert code in response.text


@pytest.mark.parametrize("path", ["/problems/none-such", "/problems/NOT_JSON", "/problems/not_json", "/problems/<i>"])
async def test_an_unknown_problem_has_no_page(client: Client, path: str) -> None:
    response = await client.get(path)

    assert response.status_code == 404
    assert "<i>" not in response.text


async def test_what_is_to_be_typed_is_shown_as_code(client: Client) -> None:
    text = (await client.get("/problems/write-key-missing")).text

    assert "<code>Authorization: Bearer &lt;write key&gt;</code>" in text
    assert "`" not in text.partition("<body>")[2]


def test_titles_and_remedies_are_whole_short_sentences() -> None:
    for kind in KINDS.values():
        assert re.fullmatch(r"[A-Z][^.]{8,60}", kind.title)
        assert kind.remedy.endswith(".")
