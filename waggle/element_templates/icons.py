"""Pictures on ready-made steps: a line drawing in the cell of a comb, 18 by 18."""

from typing import Final
from urllib.parse import quote

_CELL: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="18" height="18" viewBox="0 0 18 18">'
    '<path d="M9 .8l7.1 4.1v8.2L9 17.2l-7.1-4.1V4.9z" fill="#fdf1d3" stroke="#c98a1b" stroke-width="1.2" '
    'stroke-linejoin="round"/>'
    '<g fill="none" stroke="#2b2620" stroke-width="1.2" stroke-linecap="round" stroke-linejoin="round">{}</g></svg>'
)

_DRAWINGS: Final = {
    "message": '<path d="M4.8 6.2h8.4v5.8H4.8z"/><path d="M4.8 6.4L9 9.6l4.2-3.2"/>',
    "coupon": '<path d="M4.8 6.4h8.4v1.8a.9.9 0 000 1.8v1.8H4.8V10a.9.9 0 000-1.8z"/><path d="M9.8 7.3l-1.6 3.6"/>',
    "look": '<circle cx="8.2" cy="8.2" r="3"/><path d="M10.5 10.5l2.5 2.5"/>',
    "journey": '<path d="M6 13.4V5"/><path d="M6 5.2h6.4l-1.7 2.1 1.7 2.1H6"/>',
    "privacy": '<path d="M9 4.6l3.8 1.4v2.8c0 2.4-1.6 3.9-3.8 4.8-2.2-.9-3.8-2.4-3.8-4.8V6z"/>'
    '<path d="M7.4 8.9l1.2 1.2 2.1-2.4"/>',
    "people": '<circle cx="9" cy="6.9" r="2"/><path d="M5.2 13c.3-2.3 1.8-3.4 3.8-3.4s3.5 1.1 3.8 3.4z"/>',
    "table": '<path d="M4.8 5.6h8.4v6.8H4.8z"/><path d="M4.8 7.9h8.4M7.6 5.6v6.8"/>',
    "piece": '<path d="M5 6.8h3V5.6a1 1 0 012 0v1.2h3v2.1h-.9a1 1 0 000 2h.9v2H5z"/>',
    "time": '<circle cx="9" cy="9" r="4.2"/><path d="M9 6.6V9l1.7 1.1"/>',
    "event": '<circle cx="6.4" cy="9" r="1.1" fill="#2b2620"/>'
    '<path d="M8.8 6.5a3.6 3.6 0 010 5M11 4.9a6.2 6.2 0 010 8.2"/>',
    "step": '<path d="M5 9h7.6"/><path d="M9.8 6.2L12.6 9l-2.8 2.8"/>',
}


def icon(name: str) -> str:
    """Return the drawing as a data URI."""
    return "data:image/svg+xml," + quote(_CELL.format(_DRAWINGS[name]), safe=" =:/,'()+")
