"""Small pages for people: one plain HTML document each, readable without script, cookies or images."""

import base64
import hashlib
from collections.abc import Mapping
from html import escape as escaped

from litestar import MediaType, Response

__all__ = ["escaped", "page"]

_STYLE = """
:root{color-scheme:light dark}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:#faf7f0;color:#2b2620;
font:1.0625rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{box-sizing:border-box;width:min(30rem,100vw - 2rem);margin:1rem;padding:2.25rem 2.25rem 1.75rem;background:#fff;
border:1px solid #e7dfcf;border-top:6px solid #e2a317;border-radius:10px;overflow-wrap:anywhere}
h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25}
p{margin:0 0 1rem}
main>:last-child{margin-bottom:.75rem}
.quiet{color:#6b6154;font-size:.9375rem}
button{width:100%;padding:.8rem 1.25rem;margin:.5rem 0 1.25rem;border:0;border-radius:8px;background:#2b2620;color:#fff;
font:inherit;font-weight:600;cursor:pointer}
button:hover{background:#453d33}
button:focus-visible{outline:3px solid #e2a317;outline-offset:3px}
@media (prefers-color-scheme:dark){
body{background:#1c1915;color:#f1ebe0}
main{background:#26221d;border-color:#3a342c;border-top-color:#e2a317}
.quiet{color:#b3a896}
button{background:#f1ebe0;color:#1c1915}
button:hover{background:#fff}
}
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    # The address holds a token: no other site may learn it, no search engine list it.
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
}


def page(title: str, body: str, *, status_code: int = 200, headers: Mapping[str, str] | None = None) -> Response[str]:
    """Return a page headed *title*; *body* is HTML in which all that is not ours is already escaped."""
    html = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="robots" content="noindex"><title>{escaped(title)}</title><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escaped(title)}</h1>{body}</main></body></html>\n"
    )
    return Response(html, status_code=status_code, media_type=MediaType.HTML, headers={**_HEADERS, **(headers or {})})
