"""The way to the engine."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from waggle.engine.channel import GatewayAddress, OAuthClient, connect
from waggle.engine.client import ZeebeClient
from waggle.services.catalogue import Catalogue
from waggle.settings import EngineSettings


@dataclass(frozen=True)
class EngineWay:
    """How an engine is reached, wherever it is."""

    settings: EngineSettings
    catalogue: Catalogue
    """Says which variables may be told to the engine."""

    def gateway(self, address: str) -> GatewayAddress:
        """Return how to reach the engine at *address*."""
        settings = self.settings
        oauth = None
        if settings.client_id:
            oauth = OAuthClient(
                settings.client_id, settings.client_secret.reveal(), settings.token_url, settings.audience or None
            )
        return GatewayAddress(
            address=address,
            tls=settings.tls,
            allow_plaintext=settings.allow_plaintext,
            ca_file=_file(settings.ca_file),
            cert_file=_file(settings.cert_file),
            key_file=_file(settings.key_file),
            oauth=oauth,
        )

    def channel(self, address: str) -> grpc.aio.Channel:
        """Return a way to the engine at *address*; see `waggle.engine.channel.connect`."""
        return connect(self.gateway(address))

    def client(self, channel: grpc.aio.Channel, address: str) -> ZeebeClient:
        """Return the engine, for publishing and deploying."""
        return ZeebeClient(channel, self.catalogue.variables, address=address, tenant_id=self.settings.tenant_id)


def _file(named: str) -> Path | None:
    return Path(named) if named else None
