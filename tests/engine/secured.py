"""A gateway behind TLS and a server that gives tokens for it, both in this process and with memory."""

import json
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import grpc
import trustme
from pyzeebe.proto.gateway_pb2_grpc import add_GatewayServicer_to_server

from waggle.testing.gateway import FakeGateway, _Servicer


@dataclass(frozen=True)
class Papers:
    """PEM files of one authority: its own certificate, the server's and the client's with their keys."""

    ca: Path
    server: trustme.LeafCert
    client_cert: Path
    client_key: Path

    @classmethod
    def made(cls, folder: Path) -> "Papers":
        folder.mkdir(exist_ok=True)
        authority = trustme.CA()
        papers = cls(
            folder / "ca.pem",
            authority.issue_cert("127.0.0.1", "localhost"),
            folder / "client.pem",
            folder / "client.key",
        )
        client = authority.issue_cert("waggle@client.example")
        authority.cert_pem.write_to_path(papers.ca)
        papers.client_cert.write_bytes(b"".join(blob.bytes() for blob in client.cert_chain_pems))
        client.private_key_pem.write_to_path(papers.client_key)
        return papers


@dataclass(slots=True)
class TlsGateway(FakeGateway):
    """Remembers the token of each call; with *asks_client* it lets in only who shows a certificate."""

    papers: Papers | None = None
    asks_client: bool = False
    tokens: list[str] = field(default_factory=list)

    async def start(self) -> None:
        assert self.papers is not None
        chain = b"".join(blob.bytes() for blob in self.papers.server.cert_chain_pems)
        credentials = grpc.ssl_server_credentials(
            [(self.papers.server.private_key_pem.bytes(), chain)],
            root_certificates=self.papers.ca.read_bytes(),
            require_client_auth=self.asks_client,
        )
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        add_GatewayServicer_to_server(_Servicer(self), self._server)  # type: ignore[abstract]
        self.address = f"127.0.0.1:{self._server.add_secure_port(self.address, credentials)}"
        await self._server.start()

    async def arrive(self, rpc: str, request: object, context: Any) -> None:  # noqa: ANN401 - untyped library
        self.tokens.append(dict(context.invocation_metadata()).get("authorization", ""))
        await FakeGateway.arrive(self, rpc, request, context)


@dataclass
class TokenServer:
    """Gives token-1, token-2 ... unless told to answer otherwise."""

    url: str = ""
    life_s: int | None = 3600
    asked: list[dict[str, str]] = field(default_factory=list)
    refusals: deque[tuple[int, str]] = field(default_factory=deque)
    """(status, body) of the next answers; the last one stays."""

    def answer(self, form: dict[str, str]) -> tuple[int, str]:
        self.asked.append(form)
        if self.refusals:
            return self.refusals[0] if len(self.refusals) == 1 else self.refusals.popleft()
        token: dict[str, object] = {"access_token": f"token-{len(self.asked)}", "token_type": "Bearer"}
        return 200, json.dumps(token if self.life_s is None else token | {"expires_in": self.life_s})

    @classmethod
    @contextmanager
    def serving(cls, papers: Papers) -> Iterator["TokenServer"]:
        tokens = cls()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, answer = tokens.answer({name: values[0] for name, values in parse_qs(body).items()})
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        papers.server.configure_cert(context)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        tokens.url = f"https://127.0.0.1:{server.server_port}/token"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield tokens
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
