"""`POST /v1/webhooks/{source}`: calls of the systems that are set as sources."""

import re
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from litestar import MediaType, Request, Response, Router, get, post
from litestar.params import FromPath
from prometheus_client import CollectorRegistry, Counter, Gauge

from waggle.api.answers import json, problems
from waggle.api.limits import Limits
from waggle.api.problem import ProblemError
from waggle.errors import Rejected
from waggle.ports.clock import Clock
from waggle.ports.sources import Webhook, WebhookRequest
from waggle.services.webhooks import Taken

MAX_CALL_BYTES = 4_194_304
"""Of one call. The largest are products with hundreds of variants, of about 1 MiB."""

_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{1,256}")


class Webhooks(Protocol):
    """Takes calls."""

    def receiver(self, source: str) -> Webhook | None:
        """Return who takes the calls of *source*; None if it is set nowhere."""
        ...

    async def receive(self, source: str, request: WebhookRequest) -> Taken:
        """Take a call.

        Raises:
            Rejected: its signature is missing, wrong or stale.
            TemporaryFailure: nothing was stored.
        """
        ...


class WebhookMetrics:
    """What is counted of calls, in the registry of the process."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        self._calls = Counter(
            "waggle_webhook_calls",
            "Calls of webhooks by source: taken, repeated, not-for-us, set-aside, or the code of a refusal.",
            ("source", "outcome"),
            registry=registry,
        )
        self._heard = Gauge(
            "waggle_webhook_last_heard_timestamp_seconds",
            "When a call of the source was last taken by this process, in seconds since 1970.",
            ("source",),
            registry=registry,
        )

    def heard(self, source: str, outcome: str) -> None:
        """Count a call; *outcome* is what `waggle.services.webhooks` tells, a code in capitals being a refusal."""
        self._calls.labels(source, outcome).inc()
        if not outcome.isupper():
            self._heard.labels(source).set(self._clock.now().timestamp())


def webhook_routes(webhooks: Webhooks, limits: Limits) -> Router:
    """Return the routes that other systems call."""

    @post("/v1/webhooks/{source:str}", request_max_body_size=MAX_CALL_BYTES, status_code=200)
    async def receive(source: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
        receiver = _known(webhooks, source)
        if request.headers.get("content-encoding", "identity") != "identity":
            raise ProblemError("ENCODING_UNSUPPORTED")
        async with limits.body_of(request) as body:
            call = WebhookRequest(headers=_headers(request), body=body, path=request.url.path)
            try:
                await webhooks.receive(source, call)
            except Rejected as error:
                # Why exactly is nobody's business but ours.
                raise ProblemError(error.code, headers={"WWW-Authenticate": "Signature"}) from None
        return Response(receiver.answer, media_type=MediaType.JSON, headers={"Cache-Control": "no-store"})

    @get("/v1/webhooks/{source:str}", media_type=MediaType.JSON)
    async def greet(source: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
        receiver = _known(webhooks, source)
        challenge = request.query_params.get("challenge", "")
        if not receiver.echoes_challenge or not _CHALLENGE.fullmatch(challenge):
            raise ProblemError("METHOD_NOT_ALLOWED", headers={"Allow": "POST"})
        return Response(msgspec.json.encode({"challenge": challenge}), headers={"Cache-Control": "no-store"})

    return Router("/", route_handlers=[receive, greet])


def webhook_paths() -> dict[str, Any]:
    """Return the routes as OpenAPI 3.1 describes them; the bodies are those of the vendors."""
    source = [{"name": "source", "in": "path", "required": True, "schema": {"type": "string"}}]
    challenge = [{"name": "challenge", "in": "query", "required": False, "schema": {"type": "string"}}]
    taken = json("Stored, known, nothing that concerns us, or set aside", {})
    asked = {"type": "object", "required": ["challenge"], "properties": {"challenge": {"type": "string"}}}
    return {
        "/v1/webhooks/{source}": {
            "post": {
                "operationId": "receiveWebhook",
                "summary": "Take a call of a system that is set as a source",
                "parameters": source,
                "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
                "responses": {"200": taken, **problems(400, 401, 404, 408, 413, 415, 500, 503)},
            },
            "get": {
                "operationId": "greetWebhook",
                "summary": "Say back what a system asks for before it calls",
                "parameters": source + challenge,
                "responses": {"200": json("The challenge", asked), **problems(404, 405, 500)},
            },
        }
    }


def _known(webhooks: Webhooks, source: str) -> Webhook:
    receiver = webhooks.receiver(source)
    if receiver is None:
        raise ProblemError("NOT_FOUND")
    return receiver


def _headers(request: Request[Any, Any, Any]) -> Mapping[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.scope["headers"]}
