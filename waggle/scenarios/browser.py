"""The shopper's browser: asks the HTTP application in this process for the pages that links in mails lead to."""

import re
from collections.abc import Mapping
from typing import Any

import httpx

from waggle.app import App
from waggle.errors import BadSettings, TemporaryFailure
from waggle.http_api import http_api


class Browser:
    """Sees the pages of one house."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def fetch(self, method: str, link: str, form: Mapping[str, str]) -> None:
        """Ask for the page that *link* leads to, as a browser would; *form* goes with a POST.

        Raises:
            BadSettings: SCENARIO_WRONG, the page says no.
            TemporaryFailure: PAGE_AWAY.
        """
        api: Any = http_api(self._app)  # two libraries' names of one protocol
        path = httpx.URL(link).raw_path.decode()
        try:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://api") as client:
                answer = await client.request(method, path, data=dict(form) if method == "POST" else None)
        except httpx.HTTPError as error:
            raise TemporaryFailure("PAGE_AWAY", type(error).__name__) from error
        if answer.is_error:
            title = re.search(r"<h1>(.*?)</h1>", answer.text)
            said = f" ({title[1]})" if title else ""
            raise BadSettings("SCENARIO_WRONG", f"the page answers {answer.status_code}{said}")
