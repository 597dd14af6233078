"""What somebody finds who has copied every file: words in the clear, and what the master keys still open."""

import base64
import binascii
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

# In a database's pages nothing parts one column from the next.
_SEALED = re.compile(rb"1\.\d{1,6}\.([A-Za-z0-9_-]{38,}={0,2})")
_WRAPPED = re.compile(rb"(?=([A-Za-z0-9+/]{54}==))")
_NONCE_BYTES = 12
_TAG_BYTES = 16


def files_of(folders: Iterable[Path], *, but: Collection[str] = ()) -> Iterator[tuple[Path, bytes]]:
    """Yield every file below *folders* with its content, except in folders of a name in *but*.

    One that goes away meanwhile is passed over.
    """
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not set(but) & set(file.relative_to(folder).parts):
                try:
                    yield file, file.read_bytes()
                except FileNotFoundError:
                    continue


def found_in(content: bytes, words: Collection[str]) -> set[str]:
    """Return those of *words* that stand in *content*, in whatever case."""
    lowered = content.lower()
    return {word for word in words if word.lower().encode() in lowered}


def opened_with(secrets: Collection[bytes], contents: Collection[bytes]) -> Iterator[bytes]:
    """Yield whatever any key in *contents* that a master key opens makes of any sealed text in them.

    Keys and texts are looked for in the raw bytes, and texts are opened without regard to where they belong: rows that
    were deleted and pages that were freed count too.
    """
    keys = {key for content in contents for wrapped in _decoded(_WRAPPED, content) if (key := _key(secrets, wrapped))}
    for sealed in {sealed for content in contents for sealed in _decoded(_SEALED, content)}:
        nonce, closed = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:-_TAG_BYTES]
        for key in keys:
            # GCM without its tag: the counter begins at 2.
            yield Cipher(AES(key), CTR(nonce + (2).to_bytes(4))).decryptor().update(closed)


def _decoded(pattern: re.Pattern[bytes], content: bytes) -> Iterator[bytes]:
    for found in pattern.finditer(content):
        # What came after it may look like more of it; it only garbles the end.
        whole = found[1][: len(found[1]) // 4 * 4]
        try:
            yield base64.b64decode(whole, altchars=b"-_" if pattern is _SEALED else None)
        except binascii.Error:
            continue


def _key(secrets: Collection[bytes], wrapped: bytes) -> bytes | None:
    for secret in secrets:
        try:
            return aes_key_unwrap(secret, wrapped)
        except (InvalidUnwrap, ValueError):
            continue
    return None
