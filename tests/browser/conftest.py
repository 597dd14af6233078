"""A shop's page, a Waggle and a browser, each at an address of its own."""

import asyncio
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from waggle.app import App
from waggle.http_api import http_api
from waggle.listening import listening
from waggle.serving import serve
from waggle.settings import load_settings

_WITHIN_S = 60.0
_PAGE = """<!doctype html><title>Honey</title><h1>Honey</h1><div data-waggle-slot="top"></div>
<script>window.waggle = [];{before}</script>
<script src="{waggle}/waggle.js" data-write-key="{key}"{attributes}></script>"""


@dataclass
class Waggle:
    """The real API on a real database."""

    app: App
    loop: asyncio.AbstractEventLoop
    port: int
    key: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Return (type, data) of the accepted events, in the order of arrival."""
        found = asyncio.run_coroutine_threadsafe(self.app.store.read(lambda tx: tx.events.pending(1000)), self.loop)
        return [(stored.event.type, stored.event.data) for stored in found.result(_WITHIN_S)]

    def told(self, *types: str, at_least: int = 1) -> list[dict[str, Any]]:
        """Wait until *at_least* so many events of these types have arrived, and return the data of all of them."""

        def arrived() -> list[dict[str, Any]]:
            found = [data for kind, data in self.events() if kind in types]
            return found if len(found) >= at_least else []

        return _until(arrived, types)


def _until(look: Callable[[], list[Any]], what: object) -> list[Any]:
    end_s = time.monotonic() + _WITHIN_S
    while not (found := look()):
        assert time.monotonic() < end_s, f"nothing came of {what}"
        time.sleep(0.1)
    return found


@contextmanager
def _thread(target: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    yield
    thread.join(_WITHIN_S)


@dataclass
class Shop:
    """Serves one page; what stands in it is said per test."""

    port: int = 0
    body: str = ""
    paths: list[str] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    def page(self, waggle: Waggle, *, before: str = "", attributes: str = "", key: str | None = None) -> str:
        """Put the snippet into the page, calls *before* the script ran, and return the page's address."""
        self.body = _PAGE.format(
            waggle=waggle.url, key=waggle.key if key is None else key, before=before, attributes=attributes
        )
        return f"{self.origin}/honey"


@pytest.fixture
def shop() -> Iterator[Shop]:
    told = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.paths.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(told.body.encode())

        def log_message(self, *said: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("localhost", 0), Handler) as server:
        told.port = server.server_port
        with _thread(server.serve_forever):
            yield told
            server.shutdown()


@pytest.fixture
def waggle(shop: Shop, sqlite_url: str, tmp_path: Path) -> Iterator[Waggle]:
    environment = {
        "WAGGLE_API__TRACKER_ORIGINS": shop.origin,
        "WAGGLE_DATABASE__URL": sqlite_url,
        "WAGGLE_HOME": str(tmp_path / "home"),
    }
    app = App(load_settings(environment, here=tmp_path))
    key = asyncio.run(app.accounts.write_keys.create("web"))
    ready, stop = threading.Event(), asyncio.Event()
    with listening("127.0.0.1", 0, "api.port") as sock:
        found = Waggle(app, asyncio.new_event_loop(), sock.getsockname()[1], key)

        def run() -> None:
            asyncio.set_event_loop(found.loop)
            found.loop.call_soon(ready.set)
            found.loop.run_until_complete(serve(http_api(app), sock, stop))

        with _thread(run):
            ready.wait(_WITHIN_S)
            yield found
            found.loop.call_soon_threadsafe(stop.set)
        found.loop.close()
    app.close()


@dataclass
class Browser:
    """Chromium, its own profile, nobody's."""

    driver: webdriver.Chrome

    def open(self, url: str) -> None:
        self.driver.get(url)

    def run(self, script: str) -> Any:  # noqa: ANN401 -- JSON
        """Run *script* in the page and return what it returns."""
        return self.driver.execute_script(script)

    def push(self, *call: object) -> None:
        """Make one call of the tracker."""
        self.run(f"window.waggle.push({json.dumps(call)})")

    def cut_off(self, offline: bool) -> None:
        """Take the network away from the page, or give it back."""
        conditions = {"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", conditions)

    def say_at_start(self, script: str) -> None:
        """Have *script* run before anything of each page that is opened from now on."""
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})

    def stored(self) -> list[str]:
        """Return the names of what the page has stored, cookies included."""
        names: list[str] = self.run(
            "return [...Object.keys(localStorage), ...document.cookie.split(';').filter(Boolean)]"
        )
        return sorted(names)

    def wait(self, seconds: float) -> None:
        """Give the page time to do what it should not do."""
        self.driver.execute_async_script(f"setTimeout(arguments[0], {seconds * 1000})")

    def until(self, script: str) -> Any:  # noqa: ANN401 -- JSON
        """Wait until *script* returns something, and return it."""
        return WebDriverWait(self.driver, _WITHIN_S, poll_frequency=0.1).until(lambda each: each.execute_script(script))


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs Debian's packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(argument)
    started = webdriver.Chrome(options, Service(driver))
    yield Browser(started)
    started.quit()
