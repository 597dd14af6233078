"""What the description of the API says may be sent, and much that it does not: nothing of it breaks the API.

WAGGLE_FUZZ_EXAMPLES says how often each operation is tried: a few times here, thousands of times before a release.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from litestar.testing import TestClient
from schemathesis import Case
from schemathesis.core.result import Ok

from waggle.api.reference import openapi_document
from waggle.app import App
from waggle.domain.role import SCOPES
from waggle.http_api import http_api
from waggle.settings import load_settings
from waggle.storage.store import open_store

_EXAMPLES = int(os.environ.get("WAGGLE_FUZZ_EXAMPLES", "5"))
AnyCase = Case[Any]
_SCHEMA = schemathesis.openapi.from_dict(openapi_document())
_OPERATIONS: dict[str, Any] = {
    f"{found.method.upper()} {found.path}": found
    for found in (result.ok() for result in _SCHEMA.get_all_operations() if isinstance(result, Ok))
}


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Asking"]:
    """One app for all: it has to bear what came before, too."""
    folder = tmp_path_factory.mktemp("fuzz")
    url = f"sqlite:///{folder / 'waggle.db'}"
    open_store(url).close()
    environment = {
        "WAGGLE_HOME": str(folder),
        "WAGGLE_DATABASE__URL": url,
        "WAGGLE_API__REQUESTS_PER_S": "0",
        "WAGGLE_API__EVENTS_PER_S": "0",
    }
    app = App(load_settings(environment, here=Path(folder)))
    key = asyncio.run(app.accounts.keys.create("shop", scopes=SCOPES, by="test")).token
    with TestClient(http_api(app), raise_server_exceptions=False) as client:
        yield Asking(client, key)
    app.close()


class Asking:
    """Sends what was thought up, with a key that may do everything."""

    def __init__(self, client: TestClient, key: str) -> None:  # type: ignore[type-arg]
        self._client = client
        self._key = key

    def status(self, case: AnyCase) -> int:
        sent = case.as_transport_kwargs(base_url="http://testserver.local")
        response = self._client.request(
            sent["method"],
            sent["url"],
            params=sent.get("params"),
            headers={**{str(name): str(value) for name, value in (sent.get("headers") or {}).items()}, **self._header},
            **{"data" if isinstance(sent.get("data"), dict) else "content": sent.get("data")},
            json=sent.get("json"),
            follow_redirects=False,
        )
        return response.status_code

    @property
    def _header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"}


@pytest.mark.parametrize("operation", _OPERATIONS)
def test_nothing_that_fits_or_misses_the_description_breaks_it(asking: "Asking", operation: str) -> None:
    @seed(1)
    @settings(max_examples=_EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=_OPERATIONS[operation].as_strategy())
    def holds(case: AnyCase) -> None:
        assert asking.status(case) < 500

    holds()
