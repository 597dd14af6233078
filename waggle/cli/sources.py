"""`waggle sources`: where facts come from, and how to try that."""

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import httpx
import msgspec
from cyclopts import App as Commands
from rich.console import Console
from rich.table import Table
from rich.text import Text

from waggle.app import App
from waggle.cli.backfill import backfill
from waggle.cli.with_app import with_app
from waggle.errors import BadSettings, PermanentFailure, Rejected, TemporaryFailure
from waggle.ports.sources import Call, Item, Webhook, WebhookRequest
from waggle.services.sources import SourceLine
from waggle.settings import SourceSection, load_settings

_ANSWER_WITHIN_S = 10.0
_RETRY_S = 5.0

app = Commands(
    name="sources",
    help="Sources: where facts come from, whether they still do, and how to try it.\n\n"
    "Example: `waggle sources list`; `waggle sources check shop-main` tries one.",
)
app.command(backfill)


@app.default
@app.command(name="list")
def list_(*, json: bool = False) -> None:
    """List the sources: how facts come from each, when it was last heard, and what was refused.

    Example: `waggle sources list --json`

    Parameters
    ----------
    json
        One JSON document for programs, with the fields of each mapping.
    """
    found = with_app(lambda waggle: waggle.source_book.lines())
    if json:
        print(msgspec.json.encode(found).decode())
    elif found:
        _show(found)
    else:
        print(
            "There are no sources. `waggle keys create shop` lets one send; [source.<name>] in waggle.toml sets others."
        )


@app.command
def check(name: str) -> None:
    """Try a source: its settings, its secrets and the way in, with a call that says nothing.

    Example: `waggle sources check shop-main`

    Parameters
    ----------
    name
        As in `[source.<name>]` of waggle.toml.
    """
    waggle = App(load_settings())
    try:
        section = _section(waggle, name)
        waggle.sections.of_connector(section)
        print(f"[{section.section}] is a good section of {section.connector}.")
        if section not in waggle.sections.sources(Webhook):
            print("It does not call us, so there is no way in to try.")
            return
        webhook = waggle.systems.made(section, Webhook)
        topic, body = webhook.probe
        try:
            headers = _signed(waggle, webhook, topic, body)
        except Rejected as error:
            print(f"Its signature cannot be tried from here: {error.message}.")
            return
        url = _url(waggle, name)
        asyncio.run(_post(url, headers, body))
        print(f"A call signed with its secret was taken at {url}.")
    finally:
        waggle.close()


@app.command
def send(name: str, *, topic: str = "", file: Path) -> None:
    """Send a payload to the API on this machine, signed as the source would sign it, and say what it tells.

    Example: `waggle sources send shop-main --topic checkouts/update --file checkout.json`

    Parameters
    ----------
    name
        As in `[source.<name>]` of waggle.toml.
    topic
        What the payload is, in the vendor's words, for vendors that say so in a header.
    file
        The payload.
    """
    waggle = App(load_settings())
    try:
        webhook = waggle.systems.made(_section(waggle, name), Webhook)
        body = _read(file)
        told = webhook.read(Call(topic=topic, delivery_id="try"), body, waggle.clock.now())
        asyncio.run(_post(_url(waggle, name), _signed(waggle, webhook, topic, body), body))
    finally:
        waggle.close()
    print(f"Taken: {_said(told.items)}.")


def _section(waggle: App, name: str) -> SourceSection:
    sections = {section.name: section for section in waggle.sections.sources()}
    if name not in sections:
        known = ", ".join(sections) or "none is set"
        raise BadSettings("SOURCE_UNKNOWN", f"[source.{name}] stands nowhere; known: {known}")
    if not sections[name].connector:
        raise BadSettings(
            "SOURCE_UNKNOWN", f"[source.{name}] has no connector: it sends to /v1/events with a write key"
        )
    return sections[name]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadSettings("FILE_UNREADABLE", f"{file} cannot be read") from error


def _url(waggle: App, name: str) -> str:
    return f"{waggle.settings.api.address}/v1/webhooks/{name}"


def _signed(waggle: App, webhook: Webhook, topic: str, body: bytes) -> Mapping[str, str]:
    now = waggle.clock.now()
    headers = webhook.sign(topic, body, str(uuid.uuid4()), now)
    webhook.verify(WebhookRequest(headers=headers, body=body), now)
    return headers


async def _post(url: str, headers: Mapping[str, str], body: bytes) -> None:
    try:
        async with httpx.AsyncClient(timeout=_ANSWER_WITHIN_S, trust_env=False) as client:
            answer = await client.post(url, content=body, headers=dict(headers))
    except httpx.HTTPError as error:
        raise TemporaryFailure(
            "API_UNREACHABLE", f"{url}: {type(error).__name__}; is `waggle up` running?", retry_after_s=_RETRY_S
        ) from error
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise PermanentFailure(
            "SOURCE_UNKNOWN", f"{url}: the API does not know it; start it again after changing settings"
        )
    if not answer.is_success:
        raise PermanentFailure("CALL_REFUSED", f"{url}: status {answer.status_code}: {_code(answer)}")


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"


def _said(items: Iterable[Item]) -> str:
    types = [str(item.get("type")) for item in items]
    return ", ".join(types) if types else "it says nothing that concerns us"


def _show(found: list[SourceLine]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for line in found:
        source = line.source
        by = f"{source.connector}, " if source.connector else ""
        table.add_row(source.name, Text.assemble(f"{by}{' and '.join(source.kinds)}", *_doing(line)))
        for target, origin in source.rows:
            table.add_row("", Text.assemble((f"  {target}", "dim"), f" from {origin}"))
    Console().print(table)


def _doing(line: SourceLine) -> list[str | tuple[str, str]]:
    told: list[str | tuple[str, str]] = []
    if "webhook" in line.source.kinds:
        calls = ", ".join(f"{count} {topic or 'unnamed'}" for topic, count in sorted(line.calls.items()))
        told.append(f"\nlast heard {_at(line.last_heard_at)}{f'; within a day: {calls}' if calls else ''}")
    if "feed" in line.source.kinds:
        told.append(f"\nlast answered {_at(line.asked_at)}")
        if line.failures:
            told.append((f"; {line.failures} failures since, the last {line.last_code}", "red"))
    told += [f"\n{kind} known until {_at(until)}" for kind, until in sorted(line.known_until.items())]
    if line.refused:
        refused = ", ".join(f"{count} {code}" for code, count in line.refused.items())
        told.append((f"\nrefused: {refused}", "yellow"))
    if line.set_aside:
        told.append((f"\n{line.set_aside} set aside: `waggle events --quarantined`", "yellow"))
    if line.ended is not None:
        told.append((f"\ncalls no more: {line.ended}", "red"))
    if line.source.mapping:
        told.append(f"\nmapping {line.source.mapping}")
    return told


def _at(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time is not None else "never"
