"""What all pages of the console share: one HTML document each, no script, nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from html import escape as escaped

from litestar import MediaType, Response

from waggle.services.console_sessions import Visitor

__all__ = ["ago", "escaped", "page"]

_STYLE = """
:root{color-scheme:light dark;--ground:#faf7f0;--card:#fff;--ink:#2b2620;--quiet:#6b6154;--line:#e7dfcf;--honey:#e2a317;
--good:#24571a;--good-ground:#eaf3e3;--bad:#8a2318;--bad-ground:#fbe9e5;--field:#8d8271;--press:#2b2620;--on-press:#fff}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header{display:flex;align-items:center;gap:.75rem 1.5rem;flex-wrap:wrap;padding:.75rem max(1rem,calc(50vw - 30rem));
background:var(--card);border-bottom:1px solid var(--line)}
header b{display:flex;align-items:center;gap:.55rem;font-size:1.0625rem}
header svg{width:1.5rem;height:1.5rem}
header nav{flex:1}
header nav a{color:inherit;text-decoration:none;padding:.35rem .1rem;border-bottom:3px solid var(--honey);
font-weight:600}
header form{display:flex;align-items:center;gap:.75rem;margin:0;color:var(--quiet);font-size:.9375rem}
main{width:min(60rem,100vw - 2rem);margin:0 auto;padding:2rem 0 4rem;overflow-wrap:anywhere}
main.narrow{width:min(26rem,100vw - 2rem);padding-top:12vh}
h1{margin:0 0 .35rem;font-size:1.625rem;line-height:1.25;letter-spacing:-.01em}
h2{margin:2.5rem 0 .75rem;font-size:1.125rem}
p{margin:0 0 1rem}
.quiet{color:var(--quiet)}
.small{font-size:.9375rem}
.card{display:block;margin:0 0 .75rem;padding:1.1rem 1.25rem;background:var(--card);border:1px solid var(--line);
border-radius:10px;color:inherit;text-decoration:none}
a.card{border-left:5px solid var(--honey)}
a.card:hover{border-color:var(--honey)}
.card b{font-size:1.0625rem}
a.card p{margin:.2rem 0 0}
main a:not(.card){color:inherit}
label .quiet{font-weight:400}
.form{padding:1.5rem 1.5rem .75rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.4rem 1.5rem;margin:1.25rem 0}
dt{color:var(--quiet)}
dd{margin:0}
label.field{display:block;margin:0 0 1.1rem;font-weight:600}
label.field small,label.tick small{display:block;color:var(--quiet);font-weight:400;font-size:.875rem}
input[type=text],input[type=password],input[type=number],select,textarea{display:block;width:100%;margin-top:.3rem;
padding:.6rem .7rem;border:1px solid var(--field);border-radius:8px;background:var(--card);color:inherit;font:inherit;
font-weight:400}
textarea{min-height:6rem;resize:vertical}
label.tick{display:grid;grid-template-columns:1.6rem 1fr;gap:.5rem;margin:0 0 1.1rem;font-weight:600}
label.tick input,fieldset input{width:1.2rem;height:1.2rem;margin:.15rem 0 0;accent-color:#b57d00}
fieldset{margin:0 0 1.1rem;padding:0;border:0}
legend{padding:0;font-weight:600}
hr{margin:1.25rem 0;border:0;border-top:1px solid var(--line)}
.buttons{display:flex;flex-wrap:wrap;gap:.75rem;margin:1.25rem 0 .75rem}
button{padding:.7rem 1.4rem;border:1px solid var(--press);border-radius:8px;background:var(--press);
color:var(--on-press);
font:inherit;font-weight:600;cursor:pointer}
button.second{background:transparent;color:var(--ink);border-color:var(--field)}
button.link{padding:.2rem 0;border:0;background:none;color:inherit;font-weight:400;text-decoration:underline}
main.narrow button{width:100%;margin:0 0 1.1rem}
:is(a,button,input,select,textarea,summary):focus-visible{outline:3px solid var(--honey);outline-offset:2px}
.notice,.warning{margin:0 0 1.25rem;padding:.75rem 1rem;border-radius:8px;background:var(--good-ground);
color:var(--good)}
.warning{background:var(--bad-ground);color:var(--bad)}
.word{display:inline-block;padding:.05rem .55rem;border-radius:99px;background:var(--ground);
border:1px solid var(--line);
font-size:.875rem}
.word.approved{background:var(--good-ground);border-color:transparent;color:var(--good)}
.word.refused{background:var(--bad-ground);border-color:transparent;color:var(--bad)}
.empty{padding:2.5rem 1rem;border:1px dashed var(--line);border-radius:10px;text-align:center;color:var(--quiet)}
@media (max-width:34rem){main{padding-top:1.25rem}dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .6rem}
.form{padding:1.1rem 1.1rem .5rem}.buttons button{flex:1 1 100%}}
@media (prefers-color-scheme:dark){:root{--ground:#1c1915;--card:#26221d;--ink:#f1ebe0;--quiet:#b3a896;--line:#3a342c;
--good:#cfe6c0;--good-ground:#26361f;--bad:#f6cfc7;--bad-ground:#4a241d;--press:#f1ebe0;--on-press:#1c1915}}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_BEE = (
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path fill="#e2a317" '
    'd="M12 1.6 21 6.8v10.4l-9 5.2-9-5.2V6.8z"/><path stroke="#2b2620" stroke-width="1.6" fill="none" '
    'd="M7.4 8.7h9.2M7 12h10M7.4 15.3h9.2"/></svg>'
)
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
}


def page(
    title: str,
    body: str,
    visitor: Visitor | None = None,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    """Return a page called *title*; *body* is HTML in which all that is not ours is already escaped."""
    head = "" if visitor is None else _head(visitor)
    html = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(title)} · Waggle</title><style>{_STYLE}</style></head>"
        f"<body>{head}<main{' class=narrow' if visitor is None else ''}>{body}</main></body></html>\n"
    )
    return Response(html, status_code=status_code, media_type=MediaType.HTML, headers={**_HEADERS, **(headers or {})})


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago *at* was, as people say it."""
    passed = max(now - at, timedelta(0))
    for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = int(passed.total_seconds() // seconds)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def _head(visitor: Visitor) -> str:
    who = f"{escaped(visitor.name)}, {escaped(visitor.role)}"
    return (
        f'<header><b>{_BEE}Waggle</b><nav><a href="/console/approvals">Approvals</a></nav>'
        f'<form method="post" action="/console/leave"><span>{who}</span>'
        f'<input type="hidden" name="form_token" value="{visitor.form_token}">'
        '<button class="link" type="submit">Log out</button></form></header>'
    )
