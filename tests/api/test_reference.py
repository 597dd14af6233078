from pathlib import Path

import jsonschema
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from waggle.api.reference import openapi_document
from waggle.app import App
from waggle.domain.event import FACTS
from waggle.http_api import http_api
from waggle.settings import load_settings

pytestmark = pytest.mark.anyio

Client = AsyncTestClient[Litestar]


def test_every_route_of_the_whole_app_is_described_and_nothing_else(tmp_path: Path, sqlite_url: str) -> None:
    whole = App(load_settings({"WAGGLE_HOME": str(tmp_path), "WAGGLE_DATABASE__URL": sqlite_url}, here=tmp_path))
    try:
        served = {
            (path.replace("{slug", "{code").replace(":str}", "}").replace(":path}", "}"), method)
            for path, methods in _served(http_api(whole)).items()
            for method in methods
            # Pages for people, not for programs.
            if not path.startswith("/console")
        }
    finally:
        whole.close()

    described = {(path, method.upper()) for path, item in openapi_document()["paths"].items() for method in item}
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
