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
button:focus-visible,input:focus-visible,select:focus-visible,summary:focus-visible,a:focus-visible{
outline:3px solid #e2a317;outline-offset:3px}
main.wide{width:min(42rem,100vw - 2rem)}
h2{margin:2.25rem 0 .75rem;padding-top:1.5rem;border-top:1px solid #e7dfcf;font-size:1.1875rem;line-height:1.3}
.notice{padding:.75rem 1rem;border-radius:8px;background:#eaf3e3;color:#24401a}
.warning{padding:.75rem 1rem;border-radius:8px;background:#fbeedd;color:#5c3710}
fieldset{margin:0 0 1rem;padding:0;border:0}
.choice{display:grid;grid-template-columns:1.75rem 1fr;gap:.25rem .5rem;padding:.75rem 0}
.choice+.choice{border-top:1px solid #f0eadd}
.choice input{width:1.25rem;height:1.25rem;margin:.2rem 0 0;accent-color:#b57d00}
.choice label{font-weight:600}
.choice p,.choice details{grid-column:2;margin:0}
summary{cursor:pointer;color:#6b6154;font-size:.9375rem}
.field{display:block;margin:0 0 1rem;font-weight:600}
.field input,.field select{box-sizing:border-box;display:block;width:100%;margin-top:.25rem;padding:.65rem .75rem;
border:1px solid #8d8271;border-radius:8px;background:#fff;color:inherit;font:inherit;font-weight:400}
button.second{border:1px solid #2b2620;background:transparent;color:#2b2620}
button.second:hover{background:#f5efe2}
.scale{display:grid;grid-template-columns:repeat(11,1fr);gap:.25rem;margin:0}
.scale legend{padding:0;margin:0 0 .5rem;font-weight:600}
.scale label{display:grid;justify-items:center;gap:.25rem;padding:.5rem 0;border:1px solid #cfc5b2;border-radius:8px;
cursor:pointer}
.scale label:has(:checked){border-color:#b57d00;background:#fdf5e1}
.scale input{width:1.125rem;height:1.125rem;margin:0;accent-color:#b57d00}
.ends{display:flex;justify-content:space-between;margin:.25rem 0 .5rem}
@media (max-width:30rem){.scale{grid-template-columns:repeat(6,1fr)}}
ul{margin:0 0 1rem;padding-left:1.25rem}
li{margin:0 0 .4rem}
a{color:inherit}
@media (prefers-color-scheme:dark){
body{background:#1c1915;color:#f1ebe0}
main{background:#26221d;border-color:#3a342c;border-top-color:#e2a317}
.quiet,summary{color:#b3a896}
h2,.choice+.choice{border-color:#3a342c}
.notice{background:#26361f;color:#dcecd2}
.warning{background:#43301a;color:#f6e3cc}
.scale label{border-color:#5a5145}
.scale label:has(:checked){border-color:#e2a317;background:#43301a}
.field input,.field select{background:#1c1915;border-color:#8d8271}
button.second{border-color:#f1ebe0;background:transparent;color:#f1ebe0}
button.second:hover{background:#3a342c}
button:not(.second){background:#f1ebe0;color:#1c1915}
button:not(.second):hover{background:#fff}
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


def page(  # noqa: PLR0913 -- a page and how it is sent
    title: str,
    body: str,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    language: str = "en",
    wide: bool = False,
) -> Response[str]:
    """Return a page headed *title*; *body* is HTML in which all that is not ours is already escaped."""
    html = (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="robots" content="noindex"><title>{escaped(title)}</title><style>{_STYLE}</style></head>'
        f"<body><main{' class=wide' if wide else ''}><h1>{escaped(title)}</h1>{body}</main></body></html>\n"
    )
    return Response(html, status_code=status_code, media_type=MediaType.HTML, headers={**_HEADERS, **(headers or {})})
