"""The page that shows what arrived: a list, one mail as HTML, text or source, and the files themselves.

Mails are foreign content: their HTML is served apart, under a policy that runs no script and knows no origin.
"""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Literal

from liquid import CachingFileSystemLoader, Environment
from litestar import Litestar, MediaType, Response, get
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from waggle.mailbox.arrivals import Arrival, as_json, read_arrivals

View = Literal["html", "text", "source"]

_NEWEST = 200
_PAGES = Environment(autoescape=True, loader=CachingFileSystemLoader(Path(__file__).parent / "pages"))
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; base-uri 'none'"
# Links open in a new window, outside the sandbox, so that a shop's page works as it would from a mail program.
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src http: https: data:; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)


def create_page(folder: Path, hosts: list[str]) -> Litestar:
    """Return the application. It answers to the names in *hosts* alone, so that no web site can read along."""
    return Litestar(
        [list_mails, show_mail, show_html, list_arrivals, send_file],
        state=State({"folder": folder}),
        allowed_hosts=AllowedHostsConfig(allowed_hosts=hosts),
        openapi_config=None,
        logging_config=None,
    )


@get("/", sync_to_thread=True)
def list_mails(state: State) -> Response[str]:
    """Show the newest mails."""
    arrivals = read_arrivals(state.folder)
    shown = [_row(arrival) for arrival in reversed(arrivals[-_NEWEST:])]
    return _page("list.html", mails=shown, count=len(arrivals))


@get("/mails/{file:str}", sync_to_thread=True)
def show_mail(state: State, file: FromPath[str], view: FromQuery[View | None] = None) -> Response[str]:
    """Show one mail."""
    arrival = _find(state.folder, file)
    raw = (state.folder / arrival.file).read_bytes()
    mail = _parse(raw)
    html, text = _part(mail, "html"), _part(mail, "plain")
    return _page(
        "mail.html",
        mail=_row(arrival),
        view=view or ("html" if html is not None else "text"),
        has_html=html is not None,
        sender=str(mail.get("From", arrival.sender)),
        text=text if text is not None else "This mail has no text part.",
        source=raw.decode("utf-8", "replace"),
    )


@get("/mails/{file:str}/html", sync_to_thread=True)
def show_html(state: State, file: FromPath[str]) -> Response[str]:
    """Serve the mail's own HTML."""
    html = _part(_parse((state.folder / _find(state.folder, file).file).read_bytes()), "html")
    if html is None:
        raise NotFoundException("this mail has no HTML part")
    return Response(
        _with_links_opening_outside(html),
        media_type=MediaType.HTML,
        headers=_HEADERS | {"Content-Security-Policy": _MAIL_POLICY},
    )


@get("/arrivals.json", sync_to_thread=True)
def list_arrivals(state: State) -> Response[list[dict[str, str]]]:
    """List every arrival, oldest first: {file, arrived_at, sender, to, message_id, subject}."""
    return Response([as_json(arrival) for arrival in read_arrivals(state.folder)], headers=_HEADERS)


@get("/raw/{file:str}", sync_to_thread=True)
def send_file(state: State, file: FromPath[str]) -> Response[bytes]:
    """Serve the .eml file as it arrived."""
    arrival = _find(state.folder, file)
    return Response(
        (state.folder / arrival.file).read_bytes(),
        media_type="message/rfc822",
        headers=_HEADERS | {"Content-Disposition": f'attachment; filename="{arrival.file}"'},
    )


def _find(folder: Path, file: str) -> Arrival:
    """Return the arrival; a name that is not in the index is no file of ours, whatever it looks like."""
    for arrival in read_arrivals(folder):
        if arrival.file == file:
            return arrival
    raise NotFoundException("no such mail")


def _row(arrival: Arrival) -> dict[str, str]:
    return as_json(arrival) | {
        "day": f"{arrival.arrived_at:%d %b %Y}".lstrip("0"),
        "time": f"{arrival.arrived_at:%H:%M:%S} UTC",
        "subject": arrival.subject or "(no subject)",
    }


def _parse(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, _class=EmailMessage, policy=default)


def _part(mail: EmailMessage, kind: Literal["html", "plain"]) -> str | None:
    body = mail.get_body((kind,))
    if body is None:
        return None
    content = body.get_payload(decode=True)
    charset = body.get_content_charset("utf-8")
    try:
        return content.decode(charset, "replace") if isinstance(content, bytes) else ""
    except LookupError:
        return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""


def _with_links_opening_outside(html: str) -> str:
    base = '<base target="_blank">'
    return html.replace("<head>", f"<head>{base}", 1) if "<head>" in html else base + html


def _page(name: str, **variables: object) -> Response[str]:
    return Response(
        _PAGES.get_template(name).render(**variables),
        media_type=MediaType.HTML,
        headers=_HEADERS | {"Content-Security-Policy": _PAGE_POLICY},
    )
