"""What we use of pyzeebe's insides, so that a new version that moves them is found here and not at a gateway."""

import inspect
import time
from functools import partial
from typing import Any

import pytest
from pyzeebe import create_insecure_channel, create_secure_channel
from pyzeebe.credentials.oauth import Oauth2ClientCredentialsMetadataPlugin
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from waggle.engine.channel import GatewayAddress, connect

pytestmark = pytest.mark.anyio

USED = {
    pb.ActivateJobsRequest: "type worker timeout maxJobsToActivate fetchVariable requestTimeout tenantIds",
    pb.StreamActivatedJobsRequest: "type worker timeout fetchVariable tenantIds",
    pb.ActivatedJob: "key type processInstanceKey bpmnProcessId elementId customHeaders retries deadline variables",
    pb.CompleteJobRequest: "jobKey variables",
    pb.FailJobRequest: "jobKey retries errorMessage retryBackOff",
    pb.ThrowErrorRequest: "jobKey errorCode errorMessage",
    pb.UpdateJobTimeoutRequest: "jobKey timeout",
    pb.PublishMessageRequest: "name correlationKey timeToLive messageId variables tenantId",
    pb.DeployResourceRequest: "resources tenantId",
}


@pytest.mark.parametrize("message", USED, ids=lambda message: message.__name__)
def test_the_messages_have_the_fields_we_use(message: Any) -> None:  # noqa: ANN401 - an untyped library's
    declared = {field.name for field in message.DESCRIPTOR.fields}

    assert set(USED[message].split()) <= declared


async def test_the_stub_has_the_calls_we_make() -> None:
    async with connect(GatewayAddress()) as channel:
        stub = GatewayStub(channel)

    names = "ActivateJobs StreamActivatedJobs CompleteJob FailJob ThrowError UpdateJobTimeout PublishMessage"
    for name in (*names.split(), "DeployResource", "Topology"):
        assert callable(getattr(stub, name))


def test_channels_are_made_by_the_names_we_pass() -> None:
    assert {"grpc_address", "channel_options"} <= set(inspect.signature(create_insecure_channel).parameters)
    secure = set(inspect.signature(create_secure_channel).parameters)
    assert {"grpc_address", "channel_options", "channel_credentials"} <= secure


async def test_our_channel_options_win_over_those_of_pyzeebe() -> None:
    options = create_insecure_channel.__globals__["get_channel_options"]((("grpc.keepalive_time_ms", 31_000),))

    assert dict(options)["grpc.keepalive_time_ms"] == 31_000


def test_a_token_is_fetched_by_a_partial_function_that_takes_a_timeout() -> None:
    plugin = Oauth2ClientCredentialsMetadataPlugin("id", "secret", "https://tokens.test/", audience="gateway")
    fetch = plugin._func_retrieve_token

    assert isinstance(fetch, partial)
    assert {"token_url", "client_secret", "audience"} <= set(fetch.keywords)
    assert "timeout" in inspect.signature(fetch.func).parameters


def test_a_token_is_asked_for_until_there_is_one_that_is_not_about_to_expire() -> None:
    asked: list[str] = []

    class Plugin(Oauth2ClientCredentialsMetadataPlugin):
        def retrieve_token(self) -> None:
            asked.append("token")
            self._oauth.token = {"access_token": "t", "expires_at": time.time() + 3600}

    plugin = Plugin("id", "secret", "https://tokens.test/")
    told: list[tuple[object, object]] = []
    for _ in range(2):
        plugin(None, lambda metadata, error: told.append((metadata, error)))

    assert asked == ["token"]
    assert told == [((("authorization", "Bearer t"),), None)] * 2
    assert not plugin.is_token_expired()
