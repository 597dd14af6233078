"""Comparing what signs a call with what should: in constant time, and with whatever bytes somebody sends."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

MAX_SIGNATURE_CHARS = 4_096
"""Of a header. The longest of any vendor's is a tenth of it."""


def same(given: str, expected: Iterable[str]) -> bool:
    """Say whether *given* is one of *expected*; how long it takes does not tell which, nor how far it was right."""
    candidate = given.encode("utf-8", "surrogatepass")
    found = False
    for each in expected:
        found |= hmac.compare_digest(candidate, each.encode())
    return found


def hmac_sha256(secret: str, content: bytes) -> bytes:
    """Return the HMAC-SHA256 of *content* under *secret* as UTF-8."""
    return hmac.new(secret.encode(), content, hashlib.sha256).digest()


def hmac_sha256_base64(secret: str, content: bytes) -> str:
    """Return the same as Base64."""
    return base64.b64encode(hmac_sha256(secret, content)).decode()


def hmac_sha256_hex(secret: str, content: bytes) -> str:
    """Return the same as hexadecimal digits."""
    return hmac_sha256(secret, content).hex()


def from_base64(text: str) -> bytes | None:
    """Return what *text* is the standard Base64 of; None if it is none."""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return None


def from_base64url(text: str) -> bytes | None:
    """Return what *text* is the Base64 for URLs of, without padding (RFC 7515); None if it is none."""
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def as_base64url(content: bytes) -> str:
    """Return *content* as Base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def body_id(body: bytes) -> str:
    """Return a name for a call whose vendor gave it none: the same for the same bytes."""
    return f"sha256-{hashlib.sha256(body).hexdigest()}"


TOLERANCE_S = 300
"""How far the time in a signature may lie from ours, in either direction."""

_WHOLE = re.compile(r"[0-9]{1,12}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,200}", re.ASCII)

Refusal = Literal["SIGNATURE_MISSING", "SIGNATURE_WRONG", "SIGNATURE_STALE"]


def signed_time(text: str, now: datetime) -> Refusal | None:
    """Return why the seconds since 1970 in *text* are no time to accept; None if they are."""
    if not _WHOLE.fullmatch(text):
        return "SIGNATURE_WRONG"
    return "SIGNATURE_STALE" if abs(int(text) - now.timestamp()) > TOLERANCE_S else None


def standard_secret(text: str) -> bytes:
    """Return the key that a secret of Standard Webhooks (`whsec_` and Base64, padded or not) stands for.

    Raises:
        ValueError: it is none, or shorter than 16 bytes.
    """
    encoded = text.removeprefix("whsec_").rstrip("=")
    key = from_base64(encoded + "=" * (-len(encoded) % 4))
    if key is None or len(key) < _LEAST_KEY_BYTES:
        raise ValueError("write whsec_ and the Base64 of 24 to 64 random bytes")
    return key


_LEAST_KEY_BYTES = 16


def standard_signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Return the signature of Standard Webhooks 1.0: `v1,` and Base64 of an HMAC-SHA256 over id, time and body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"


def standard_refusal(headers: Mapping[str, str], body: bytes, keys: Iterable[bytes], now: datetime) -> Refusal | None:
    """Return why a call is not signed as Standard Webhooks 1.0 asks, with one of *keys*; None if it is.

    The library of that name is not used here: it goes by the machine's clock and fails in other ways than it says.
    """
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "")
    if not (message_id and timestamp and given):
        return "SIGNATURE_MISSING"
    if not _NAME.fullmatch(message_id) or len(given) > MAX_SIGNATURE_CHARS:
        return "SIGNATURE_WRONG"
    refusal = signed_time(timestamp, now)
    expected = [standard_signature(key, message_id, timestamp, body) for key in keys]
    if not any([same(each, expected) for each in given.split(" ")]):  # noqa: C419 -- all of them, whichever is right
        return "SIGNATURE_WRONG"
    return refusal
