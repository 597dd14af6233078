import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from tests.api.door import Door
from waggle.errors import TemporaryFailure

pytestmark = pytest.mark.anyio

Client = AsyncTestClient[Litestar]


async def test_a_ready_process_says_so(client: Client) -> None:
    response = await client.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ready"})


async def test_without_its_database_a_process_lives_but_is_not_ready(client: Client, door: Door) -> None:
    door.readiness.error = TemporaryFailure("DATABASE_UNREACHABLE", retry_after_s=5)

    ready = await client.get("/readyz")

    assert (ready.status_code, ready.headers["retry-after"]) == (503, "5")
    assert (await client.get("/livez")).json() == {"status": "alive"}


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_health_can_be_asked_for_without_a_body(client: Client, path: str) -> None:
    assert (await client.head(path)).status_code == 200
