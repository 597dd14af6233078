import jsonschema
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from waggle.domain.event import FACTS

pytestmark = pytest.mark.anyio

Client = AsyncTestClient[Litestar]


async def test_every_route_is_described_and_nothing_else(client: Client) -> None:
    document = (await client.get("/openapi.json")).json()

    described = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    served = {
        (path.replace("{slug", "{code").replace(":str}", "}"), method)
        for path, methods in _served(client.app).items()
        for method in methods
    }
    assert described == served


async def test_the_description_of_an_event_fits_what_is_accepted(client: Client, event: dict[str, object]) -> None:
    document = (await client.get("/openapi.json")).json()
    schema = {"$ref": "#/components/schemas/Event", "components": document["components"]}

    jsonschema.validate(event, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(event | {"type": "stock-changed"}, schema)
    assert set(document["components"]["schemas"]["Event"]["properties"]["type"]["enum"]) == FACTS.keys()


def _served(app: Litestar) -> dict[str, set[str]]:
    return {
        route.path_format: {method for method in route.methods if method != "OPTIONS"}  # the framework's own
        for route in app.routes
        if hasattr(route, "methods")
    }
