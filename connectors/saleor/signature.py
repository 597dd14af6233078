"""JWS with detached payload (RFC 7515, RFC 7797), RS256 alone, as Saleor signs."""

import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from waggle.domain.signature import as_base64url, from_base64url
from waggle.errors import BadSettings

_LEAST_BITS = 2048


def public_keys(jwks: str) -> dict[str, RSAPublicKey]:
    """Return the RSA keys of a JSON Web Key Set by their `kid`.

    Raises:
        BadSettings: SALEOR_SIGNING.
    """
    try:
        keys = {str(key.get("kid", "")): _public_key(key) for key in json.loads(jwks)["keys"] if key["kty"] == "RSA"}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadSettings("SALEOR_SIGNING", "jwks is no JSON Web Key Set with an RSA key") from None
    if not keys or any(key.key_size < _LEAST_BITS for key in keys.values()):
        raise BadSettings("SALEOR_SIGNING", f"jwks has no RSA key, or one of less than {_LEAST_BITS} bits")
    return keys


def is_signed(token: str, body: bytes, keys: Mapping[str, RSAPublicKey]) -> bool:
    """Say whether *token* is the detached signature of *body* by one of *keys*.

    The algorithm is never taken from the token: it must be RS256, and the payload must not be in it.
    """
    encoded_header, _, rest = token.partition(".")
    payload, _, encoded_signature = rest.partition(".")
    header, signature = _header(encoded_header), from_base64url(encoded_signature)
    if payload or signature is None or header.get("alg") != "RS256" or set(header.get("crit", [])) - {"b64"}:
        return False
    key = keys.get(str(header.get("kid", "")))
    if key is None:
        return False
    # b64 = false: the payload is signed as it is (RFC 7797).
    signed = body if header.get("b64") is False else as_base64url(body).encode()
    try:
        key.verify(signature, encoded_header.encode("ascii") + b"." + signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _header(encoded: str) -> dict[str, Any]:
    try:
        header = json.loads(from_base64url(encoded) or b"")
    except (ValueError, RecursionError):
        return {}
    is_fit = isinstance(header, dict) and isinstance(header.get("crit", []), list)
    return header if is_fit and all(isinstance(each, str) for each in header.get("crit", [])) else {}


def _public_key(key: Mapping[str, str]) -> RSAPublicKey:
    modulus, exponent = (from_base64url(key[name]) for name in ("n", "e"))
    if not modulus or not exponent:
        raise ValueError
    return RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big")).public_key()
