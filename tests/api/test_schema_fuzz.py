"""What the description of the API says may be sent, and much that it does not: every answer is one that it describes.

`make test` tries each operation a few times, `make guarantee` often; WAGGLE_FUZZ_EXAMPLES says how often, for as long
as somebody wants to wait. The same is tried in each run.
"""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from litestar.testing import TestClient
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.peopled import Peopled, peopled
from waggle.api.reference import openapi_document
from waggle.app import App
from waggle.domain.role import SCOPES
from waggle.http_api import http_api
from waggle.settings import load_settings
from waggle.testing.clock import HandClock

AnyCase = Case[Any]

_FEW = 5
_MANY = int(os.environ.get("WAGGLE_FUZZ_EXAMPLES", "50"))
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_SCHEMA = schemathesis.openapi.from_dict(openapi_document())
_OPERATIONS: dict[str, Any] = {
    f"{found.method.upper()} {found.path}": found
    for found in (result.ok() for result in _SCHEMA.get_all_operations() if isinstance(result, Ok))
}
_SECOND_NAMES = {f"POST /v1/{name}" for name in ("a", "b", "g", "i", "import", "p", "s", "t")}
"""Of what Segment's libraries call: the same route, so it is enough to try them a few times."""
_BOTH = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Asking"]:
    """One app for all: it has to bear what came before, too."""
    folder = tmp_path_factory.mktemp("fuzz")
    environment = {
        "WAGGLE_HOME": str(folder),
        "WAGGLE_DATABASE__URL": f"sqlite:///{folder / 'waggle.db'}",
        "WAGGLE_API__REQUESTS_PER_S": "0",
        "WAGGLE_API__EVENTS_PER_S": "0",
        "WAGGLE_SOURCE__SHOP_MAIN__CONNECTOR": "standard_webhooks",
        "WAGGLE_SOURCE__SHOP_MAIN__SECRET": "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0" * 2,
    }
    app = App(load_settings(environment, here=folder))
    key = asyncio.run(app.accounts.keys.create("shop", scopes=SCOPES, by="test")).token
    there = asyncio.run(peopled(app.store, HandClock(datetime.now(UTC) - timedelta(hours=1))))
    with TestClient(http_api(app), raise_server_exceptions=False) as client:
        yield Asking(client, key, there)
    app.close()


class Asking:
    """Sends what was thought up, with a key that may do everything."""

    def __init__(self, client: TestClient, key: str, there: Peopled) -> None:  # type: ignore[type-arg]
        self.there = there
        self._client = client
        self._key = key

    def answer(self, case: AnyCase) -> Response:
        sent = case.as_transport_kwargs(base_url="http://testserver.local")
        headers = {name: str(value) for name, value in (sent.get("headers") or {}).items()}
        headers["Authorization"] = f"Bearer {self._key}"
        answer = self._client.request(
            sent["method"],
            sent["url"],
            params=sent.get("params"),
            # As they travel: a header need not be ASCII.
            headers=httpx.Headers([(name.encode("latin-1"), each.encode("latin-1")) for name, each in headers.items()]),
            **{"data" if isinstance(sent.get("data"), dict) else "content": sent.get("data")},
            json=sent.get("json"),
            follow_redirects=False,
        )
        return Response.from_httpx(answer, verify=True)


def _tried(asking: Asking, operation: str, mode: GenerationMode, examples: int) -> None:
    @seed(1)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=_OPERATIONS[operation].as_strategy(generation_mode=mode), known=st.booleans())
    def holds(case: AnyCase, known: bool) -> None:
        if known:
            # Made-up ids lead nowhere: half of the time it is asked for what there is.
            case.path_parameters = {**(case.path_parameters or {}), **asking.there.path(case.path)}
        case.validate_response(asking.answer(case), checks=_CHECKS)

    try:
        holds()
    except Unsatisfiable:
        # Where any text will do, nothing can be sent that misses the description.
        assert mode is GenerationMode.NEGATIVE


@pytest.mark.parametrize("mode", _BOTH, ids=["fits", "misses"])
@pytest.mark.parametrize("operation", _OPERATIONS)
def test_whatever_is_sent_gets_an_answer_that_the_description_knows(
    asking: Asking, operation: str, mode: GenerationMode
) -> None:
    _tried(asking, operation, mode, _FEW)


@pytest.mark.guarantee
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("mode", _BOTH, ids=["fits", "misses"])
@pytest.mark.parametrize("operation", sorted(_OPERATIONS.keys() - _SECOND_NAMES))
def test_whatever_is_sent_over_and_over_gets_an_answer_that_the_description_knows(
    asking: Asking, operation: str, mode: GenerationMode
) -> None:
    _tried(asking, operation, mode, _MANY)


@pytest.mark.guarantee
def test_what_one_answer_leads_to_is_answered_as_described(asking: Asking) -> None:
    class Walking(_SCHEMA.as_state_machine()):  # type: ignore[misc]
        """Follows the links from answer to answer."""

        def call(self, case: AnyCase, **_: Any) -> Response:  # noqa: ANN401 -- of the library
            if case.path == "/v1/privacy/requests" and isinstance(case.body, dict):
                case.body = {**case.body, "customer_id": "c-1"}
            return asking.answer(case)

        def validate_response(self, response: Response, case: AnyCase, **_: Any) -> None:  # noqa: ANN401 -- of the library
            case.validate_response(response, checks=_CHECKS)

    Walking.run(
        settings=settings(
            max_examples=_MANY,
            stateful_step_count=6,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
    )
