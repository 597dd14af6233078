"""What Operate knows and the engine's gateway does not tell: which steps wait for a person because of an incident."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from waggle.engine import local
from waggle.errors import TemporaryFailure

_TIMEOUT_S = 5.0
_MOST = 1_000
"""Incidents, and definitions, that are read; whoever has more of them looks at Operate."""


def open_incidents(engine_home: Path) -> Mapping[tuple[str, int], int] | None:
    """Return how many incidents are open by process id and version; None: there is no Operate of ours to ask.

    Operate's public interface, version 1 of Camunda 8.6 (docs.camunda.io, Operate API, read 2026-11-22), behind the
    log-in of its pages.

    Raises:
        TemporaryFailure: OPERATE_SILENT.
    """
    found = local.status(engine_home)
    if found.state != "running" or found.operate_url is None:
        return None
    try:
        password = (engine_home / "operate-password").read_text(encoding="utf-8").strip()
        base = found.operate_url.removesuffix("/operate")
        with httpx.Client(base_url=base, trust_env=False, timeout=_TIMEOUT_S) as browser:
            login = browser.post("/api/login", data={"username": found.operate_user or "", "password": password})
            login.raise_for_status()
            token = {name: value for name, value in login.headers.items() if name.lower().endswith("x-csrf-token")}
            browser.headers.update(token)
            incidents = _found(browser, "incidents", {"state": "ACTIVE"})
            known = {each["key"]: each for each in _found(browser, "process-definitions", {})}
    except (httpx.HTTPError, OSError, ValueError, KeyError) as error:
        raise TemporaryFailure("OPERATE_SILENT", type(error).__name__, retry_after_s=_TIMEOUT_S) from error
    definitions = (known.get(incident["processDefinitionKey"]) for incident in incidents)
    return Counter((each["bpmnProcessId"], each["version"]) for each in definitions if each is not None)


def _found(browser: httpx.Client, kind: str, wanted: Mapping[str, str]) -> list[dict[str, Any]]:
    answer = browser.post(f"/v1/{kind}/search", json={"filter": dict(wanted), "size": _MOST})
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["items"]
    return found
