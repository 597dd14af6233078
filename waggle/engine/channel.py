"""The way to the engine's gateway."""

import ssl
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import urlsplit

import grpc
from pyzeebe import create_insecure_channel, create_secure_channel
from pyzeebe.credentials.oauth import Oauth2ClientCredentialsMetadataPlugin

from waggle.domain.loopback import is_loopback
from waggle.engine.status import TOKEN_AWAY, TOKEN_REFUSED
from waggle.errors import BadSettings
from waggle.log import get_logger

_log = get_logger(__name__)

_TOKEN_TIMEOUT_S = 10.0
# A token that is about to run out might do so on its way; one that lives for a minute must still serve many calls.
_TOKEN_LEEWAY_S = 10
# The server need not say how long a token lives (RFC 6749, section 5.1).
_TOKEN_LIFE_S = 300
_ASK_AGAIN_S = 5.0
# RFC 6749, section 5.2, and access_denied, which some servers say here, too.
_REFUSALS = frozenset(
    {
        "access_denied",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
    }
)
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
    allow_plaintext: bool = False
    """Whether another machine may be spoken to without TLS."""
    ca_file: Path | None = None
    """PEM file of the authorities to trust instead of the machine's."""
    cert_file: Path | None = None
    """PEM file of the certificate, with those that signed it, by which the gateway knows us (mTLS)."""
    key_file: Path | None = None
    """PEM file of its private key."""
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
    _check(gateway)
    options = _options(gateway)
    if not gateway.tls:
        return create_insecure_channel(grpc_address=gateway.address, channel_options=options)
    return create_secure_channel(
        grpc_address=gateway.address, channel_options=options, channel_credentials=_credentials(gateway)
    )


def _check(gateway: GatewayAddress) -> None:
    host = gateway.address.rpartition(":")[0].strip("[]")
    if not gateway.tls and not gateway.allow_plaintext and not is_loopback(host):
        raise BadSettings(
            "PLAINTEXT_REFUSED",
            "engine.address is another machine and engine.tls is not set: set tls = true, or allow_plaintext = true",
        )
    if gateway.oauth and not gateway.tls:
        raise BadSettings("OAUTH_WITHOUT_TLS", "engine OAuth needs tls = true: a token must not travel in the open")
    if gateway.oauth and urlsplit(gateway.oauth.token_url).scheme != "https":
        raise BadSettings(
            "TOKEN_URL_INSECURE", "engine.token_url must begin with https://: a secret must not travel in the open"
        )
    files = {"ca_file": gateway.ca_file, "cert_file": gateway.cert_file, "key_file": gateway.key_file}
    for setting, file in files.items():
        if file is not None and not gateway.tls:
            raise BadSettings("TLS_OFF", f"engine.{setting} is set and engine.tls is not: set tls = true, or no files")
    for setting, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
        if files[setting] and not files[other]:
            raise BadSettings("CERT_WITHOUT_KEY", f"engine.{setting} is set and engine.{other} is not: set both")


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
    authorities = _pem("ca_file", gateway.ca_file)
    certificate = _pem("cert_file", gateway.cert_file)
    key = _pem("key_file", gateway.key_file)
    _check_usable(gateway)
    transport = grpc.ssl_channel_credentials(authorities, key, certificate)
    if gateway.oauth is None:
        return transport
    return grpc.composite_channel_credentials(transport, grpc.metadata_call_credentials(_tokens(gateway.oauth)))


def _pem(setting: str, file: Path | None) -> bytes | None:
    try:
        return file.read_bytes() if file else None
    except OSError as error:
        raise BadSettings(f"{setting.upper()}_UNREADABLE", f"engine.{setting}: {file} cannot be read") from error


def _check_usable(gateway: GatewayAddress) -> None:
    """Find now what gRPC would only show as a gateway that does not answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if gateway.ca_file:
            context.load_verify_locations(gateway.ca_file)
    except ssl.SSLError as error:
        raise BadSettings("CA_FILE_WRONG", f"engine.ca_file: {gateway.ca_file} holds no PEM certificate") from error
    try:
        if gateway.cert_file and gateway.key_file:
            # An empty password: a key that needs one is refused, where OpenSSL would ask the terminal for it.
            context.load_cert_chain(gateway.cert_file, gateway.key_file, password="")
    except ssl.SSLError as error:
        raise BadSettings(
            "CERT_FILE_WRONG",
            f"engine.cert_file and engine.key_file: {gateway.cert_file} and {gateway.key_file} are not a PEM "
            "certificate and its private key without a password",
        ) from error


@lru_cache(maxsize=8)
def _tokens(client: OAuthClient) -> "_Tokens":
    """Return the one of this process for *client*: each look at the engine's readiness opens a channel of its own."""
    return _Tokens(client)


class _NoTokenError(Exception):
    """Its text is all that gRPC hands on; see `waggle.engine.status`."""


class _Tokens(Oauth2ClientCredentialsMetadataPlugin):
    """Fetches one token for all calls that wait for it, and not for ever. gRPC calls it from threads of its own."""

    def __init__(self, client: OAuthClient) -> None:
        super().__init__(
            client_id=client.client_id,
            client_secret=client.client_secret,
            authorization_server=client.token_url,
            scope=client.scope,
            audience=client.audience,
            leeway=_TOKEN_LEEWAY_S,
            expire_in=_TOKEN_LIFE_S,
        )
        self._func_retrieve_token = partial(self._func_retrieve_token, timeout=_TOKEN_TIMEOUT_S)
        self._server = urlsplit(client.token_url).hostname
        self._fetching = threading.Lock()
        self._trouble = ""
        self._ask_again_s = 0.0

    def retrieve_token(self) -> None:
        with self._fetching:
            if not self.is_token_expired():
                return
            # Many calls need one token: they must not storm the server that refuses it.
            if not self._trouble or time.monotonic() >= self._ask_again_s:
                self._fetch()
            if self._trouble:
                raise _NoTokenError(self._trouble)

    def _fetch(self) -> None:
        before = self._trouble
        try:
            self._func_retrieve_token()
            self._trouble = ""
        except Exception as error:  # noqa: BLE001 - whatever the library or its network layer raises, there is no token
            code = getattr(error, "error", None)
            self._trouble = TOKEN_REFUSED if code in _REFUSALS else TOKEN_AWAY
            # One line when trouble begins. The error's text is the server's; its type and the code quote nobody.
            if self._trouble != before:
                refusal = code if code in _REFUSALS else None
                _log.warning("no token", server=self._server, refusal=refusal, error=type(error).__name__)
        if before and not self._trouble:
            _log.info("token fetched again", server=self._server)
        self._ask_again_s = time.monotonic() + _ASK_AGAIN_S
