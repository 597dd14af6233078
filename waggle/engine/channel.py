"""The way to the engine's gateway."""

import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import grpc
from pyzeebe import create_insecure_channel, create_secure_channel
from pyzeebe.credentials.oauth import Oauth2ClientCredentialsMetadataPlugin

from waggle.errors import BadSettings

_TOKEN_TIMEOUT_S = 10.0
# The gateway closes connections that ping more often (its network.minKeepAliveInterval).
_SHORTEST_KEEPALIVE_S = 30.0
_LOOPBACK = ("127.0.0.1:", "localhost:", "[::1]:")


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """How to get a token by the client credentials grant (RFC 6749, section 4.4)."""

    client_id: str
    client_secret: str = field(repr=False)
    token_url: str
    audience: str | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """Where the engine is and how to be let in."""

    address: str = "127.0.0.1:26500"
    """host:port of the gRPC gateway."""
    tls: bool = False
    ca_file: Path | None = None
    """PEM file of the authorities to trust instead of the machine's."""
    oauth: OAuthClient | None = None
    keepalive_s: float = 45.0
    """A connection that died without a word is noticed after this long; at least 30."""


def connect(gateway: GatewayAddress) -> grpc.aio.Channel:
    """Return a channel to *gateway*; nothing is sent before the first call. Needs a running event loop.

    Raises:
        BadSettings: the settings contradict each other or a file cannot be read.
    """
    if gateway.keepalive_s < _SHORTEST_KEEPALIVE_S:
        raise BadSettings(
            "KEEPALIVE_TOO_SHORT",
            f"engine keepalive_s is {gateway.keepalive_s:g}, set {_SHORTEST_KEEPALIVE_S:g} or more: "
            "the gateway hangs up on clients that ping more often",
        )
    if gateway.oauth and not gateway.tls:
        raise BadSettings("OAUTH_WITHOUT_TLS", "engine OAuth needs tls = true: a token must not travel in the open")
    options = _options(gateway)
    if not gateway.tls:
        return create_insecure_channel(grpc_address=gateway.address, channel_options=options)
    return create_secure_channel(
        grpc_address=gateway.address, channel_options=options, channel_credentials=_credentials(gateway)
    )


def _options(gateway: GatewayAddress) -> tuple[tuple[str, int], ...]:
    options = (
        ("grpc.keepalive_time_ms", round(gateway.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", 10_000),
        # By default gRPC waits up to two minutes before it looks for a gateway that was away.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        # A window that is large, or grows by itself, takes in hundreds of pushed jobs whose leases run while nobody
        # works on them: 966 of 3000 small ones went to a worker with one slot at 64 KiB, 66 at 4 KiB.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 4096),
    )
    if gateway.address.startswith(_LOOPBACK):
        # A proxy set for the machine cannot reach the machine's own loopback.
        return (*options, ("grpc.enable_http_proxy", 0))
    return options


def _credentials(gateway: GatewayAddress) -> grpc.ChannelCredentials:
    try:
        authorities = gateway.ca_file.read_bytes() if gateway.ca_file else None
    except OSError as error:
        raise BadSettings("CA_FILE_UNREADABLE", f"engine ca_file {gateway.ca_file} cannot be read") from error
    transport = grpc.ssl_channel_credentials(root_certificates=authorities)
    if gateway.oauth is None:
        return transport
    return grpc.composite_channel_credentials(transport, grpc.metadata_call_credentials(_Tokens(gateway.oauth)))


class _Tokens(Oauth2ClientCredentialsMetadataPlugin):
    """Fetches one token for all calls that wait for it, and not for ever. gRPC calls it from threads of its own."""

    def __init__(self, client: OAuthClient) -> None:
        super().__init__(
            client_id=client.client_id,
            client_secret=client.client_secret,
            authorization_server=client.token_url,
            scope=client.scope,
            audience=client.audience,
        )
        self._func_retrieve_token = partial(self._func_retrieve_token, timeout=_TOKEN_TIMEOUT_S)
        self._fetching = threading.Lock()

    def retrieve_token(self) -> None:
        with self._fetching:
            if self.is_token_expired():
                super().retrieve_token()
