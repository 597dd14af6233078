"""A file that is encrypted as a whole: written and read in chunks, of which none can be changed, moved or left out."""

import base64
import hashlib
import json
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from waggle.errors import PermanentFailure
from waggle.storage.keyring import Keyring

_MAGIC = b"waggle sealed file 1\n"
_CHUNK_BYTES = 1 << 20
_TAG_BYTES = 16
_LONGEST_HEADER_BYTES = 10_000


@dataclass(frozen=True, slots=True)
class Header:
    """Stands in the clear, and is vouched for by every chunk."""

    master_key_id: str
    wrapped_key: str
    about: dict[str, str]
    """What the content is; never anything about a person."""


class SealedWriter:
    """Writes to *file* what `write` is given, under a key of its own; without `finish` it cannot be read."""

    def __init__(self, file: BinaryIO, keyring: Keyring, about: dict[str, str]) -> None:
        master, key = keyring.current(), secrets.token_bytes(32)
        header = {
            "master_key_id": master.key_id,
            "wrapped_key": base64.b64encode(master.wrap(key)).decode(),
            "about": about,
        }
        line = json.dumps(header).encode()
        self._file = file
        self._cipher = _Chunks(key, line)
        self._waiting = bytearray()
        self.content_bytes = 0
        file.write(_MAGIC + line + b"\n")

    def write(self, content: bytes | bytearray | memoryview) -> None:
        """Add to the content."""
        self._waiting += content
        self.content_bytes += len(content)
        while len(self._waiting) > _CHUNK_BYTES:
            self._put(bytes(self._waiting[:_CHUNK_BYTES]), is_last=False)
            del self._waiting[:_CHUNK_BYTES]

    def finish(self) -> None:
        """Write the end, without which a file counts as cut off."""
        self._put(bytes(self._waiting), is_last=True)

    def _put(self, chunk: bytes, *, is_last: bool) -> None:
        closed = self._cipher.close(chunk, is_last=is_last)
        self._file.write(struct.pack(">I?", len(closed), is_last) + closed)


class SealedReader:
    """Reads what `SealedWriter` wrote; a chunk that is not as it was written is never given out.

    Raises:
        PermanentFailure: BACKUP_BROKEN, the file is none of these.
        BadSettings: the master key it was written with is not there.
    """

    def __init__(self, file: BinaryIO, keyring: Keyring) -> None:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise broken("it is no backup of Waggle")
        line = file.readline(_LONGEST_HEADER_BYTES).rstrip(b"\n")
        try:
            said = json.loads(line)
            self.header = Header(str(said["master_key_id"]), str(said["wrapped_key"]), dict(said["about"]))
            wrapped = base64.b64decode(self.header.wrapped_key)
        except (ValueError, KeyError, TypeError):
            raise broken("its head cannot be read") from None
        self._file = file
        self.content_bytes = 0
        self._cipher = _Chunks(keyring.of(self.header.master_key_id).unwrap(wrapped), line)

    def chunks(self) -> Iterator[bytes]:
        """Yield the content piece by piece.

        Raises:
            PermanentFailure: BACKUP_BROKEN, a piece was changed or is missing, such as the end.
        """
        is_last = False
        while not is_last:
            head = self._file.read(5)
            if len(head) < 5:  # noqa: PLR2004 -- length and mark of a chunk
                raise broken("its end is missing")
            length, is_last = struct.unpack(">I?", head)
            if length > _CHUNK_BYTES + _TAG_BYTES:
                raise broken("it was changed")
            chunk = self._cipher.open(self._file.read(length), is_last=is_last)
            self.content_bytes += len(chunk)
            yield chunk
        if self._file.read(1):
            raise broken("something was added to it")


class _Chunks:
    """Numbers the chunks in their nonces: the key is used for this one file."""

    def __init__(self, key: bytes, header: bytes) -> None:
        self._cipher = AESGCM(key)
        self._header = hashlib.sha256(_MAGIC + header).digest()
        self._count = 0

    def close(self, chunk: bytes, *, is_last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(is_last=is_last), chunk, self._header)

    def open(self, closed: bytes, *, is_last: bool) -> bytes:
        try:
            return self._cipher.decrypt(self._nonce(is_last=is_last), closed, self._header)
        except (InvalidTag, ValueError):
            raise broken("it was changed or cut") from None

    def _nonce(self, *, is_last: bool) -> bytes:
        self._count += 1
        return struct.pack(">3xQ?", self._count, is_last)


def broken(why: str) -> PermanentFailure:
    """Return the error for a file that cannot be used."""
    return PermanentFailure("BACKUP_BROKEN", f"the backup cannot be used: {why}")
