"""Master keys: they wrap the keys of persons and of backups, and lie outside the database and every backup."""

import base64
import binascii
import os
import secrets
import tempfile
import tomllib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from waggle.errors import BadSettings

_SECRET_BYTES = 32
_HEAD = """\
# Master keys of Waggle. Who has this file and the database reads everything; without it nobody ever does again.
# Keep a copy of it, apart from the backups. The last key wraps what is new; older ones read what is old.

"""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One key; its id is no secret, and stands beside what it wraps."""

    key_id: str
    secret: bytes

    def wrap(self, key: bytes) -> bytes:
        """Return *key* wrapped (RFC 3394)."""
        return aes_key_wrap(self.secret, key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return the key again.

        Raises:
            BadSettings: another secret than this key's wrapped it.
        """
        try:
            return aes_key_unwrap(self.secret, wrapped)
        except InvalidUnwrap as error:
            raise BadSettings(
                "MASTER_KEY_WRONG",
                f"the master key {self.key_id} does not open what was closed with the one of this name; "
                "the file of master keys belongs to another database",
            ) from error

    def __repr__(self) -> str:
        return f"MasterKey({self.key_id!r})"


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """All of an installation: the last is the one in use."""

    index_secret: bytes
    """What blind indexes are made with; stays when master keys change, else nothing would be found again."""
    keys: tuple[MasterKey, ...]

    def __repr__(self) -> str:
        return f"MasterKeys({', '.join(key.key_id for key in self.keys)})"


class Keyring:
    """Master keys that are given; `FileKeyring` is the one whose keys lie in a file."""

    def __init__(self, keys: MasterKeys) -> None:
        self._keys = keys

    def current(self) -> MasterKey:
        """Return the key that wraps what is new."""
        return self._fresh().keys[-1]

    def of(self, key_id: str) -> MasterKey:
        """Return the key of this id.

        Raises:
            BadSettings: MASTER_KEY_MISSING, there is none.
        """
        # Only for one that is not known is the file looked at: this is asked for each person whose data is read.
        found = _named(self._keys, key_id) or _named(self._fresh(), key_id)
        if found is None:
            raise self._missing(key_id)
        return found

    def derived(self, purpose: str) -> bytes:
        """Return 32 bytes of which only *purpose* is made (HKDF); the same after a change of master keys."""
        return HKDF(SHA256(), _SECRET_BYTES, salt=None, info=f"waggle {purpose}".encode()).derive(
            self._fresh().index_secret
        )

    def _fresh(self) -> MasterKeys:
        return self._keys

    def _missing(self, key_id: str) -> BadSettings:
        return BadSettings(
            "MASTER_KEY_MISSING", f"there is no master key {key_id}, with which persons' keys are closed"
        )


def _named(keys: MasterKeys, key_id: str) -> MasterKey | None:
    return next((key for key in keys.keys if key.key_id == key_id), None)


class NoKeyring(Keyring):
    """Stands where master keys should have been given: says so when the first is needed."""

    def __init__(self) -> None:
        super().__init__(MasterKeys(b"", ()))

    def _fresh(self) -> MasterKeys:
        raise BadSettings(
            "MASTER_KEY_MISSING",
            "privacy.master_key_file is not set: with a database that other hosts reach too no place goes without "
            "saying; `waggle privacy new-master-key FILE` makes the file",
        )


class FileKeyring(Keyring):
    """Master keys in a TOML file; read when first needed, and again when the file was changed."""

    def __init__(self, file: Path, *, may_make: bool) -> None:
        super().__init__(MasterKeys(b"", ()))
        self.file = file
        self._may_make = may_make
        self._stamp: tuple[int, int] | None = None

    def add(self, made_at: datetime) -> MasterKey:
        """Write a new key into the file, which is the current one from now on.

        Raises:
            BadSettings: the file cannot be read or written.
        """
        keys = self._fresh()
        added = new_master_key(made_at)
        self._write(replace(keys, keys=(*keys.keys, added)))
        return added

    def drop(self, key_id: str) -> None:
        """Take an older key out of the file: what it alone opens is closed for ever.

        Raises:
            BadSettings: there is none of this id, it is the current one, or the file cannot be written.
        """
        keys = self._fresh()
        if key_id == keys.keys[-1].key_id:
            raise BadSettings("MASTER_KEY_IN_USE", f"{key_id} is the current master key; rotate first")
        left = tuple(key for key in keys.keys if key.key_id != key_id)
        if len(left) == len(keys.keys):
            raise self._missing(key_id)
        self._write(replace(keys, keys=left))

    def _fresh(self) -> MasterKeys:
        stamp = self._stamp_of_file()
        if stamp is None:
            if not self._may_make:
                raise BadSettings(
                    "MASTER_KEY_MISSING",
                    f"{self.file}, where the master keys should lie, is not there; "
                    "put its copy back, or if there is no data yet make one with `waggle privacy new-master-key`",
                )
            new_key_file(self.file)
            stamp = self._stamp_of_file()
        if stamp != self._stamp or not self._keys.keys:
            self._keys, self._stamp = read_keys(self.file), stamp
        return self._keys

    def of(self, key_id: str) -> MasterKey:
        """Return the key of this id; never makes the file, since what is asked for was in it.

        Raises:
            BadSettings: MASTER_KEY_MISSING, there is none.
        """
        if not self._keys.keys and self._stamp_of_file() is None:
            raise self._missing(key_id)
        return super().of(key_id)

    def _missing(self, key_id: str) -> BadSettings:
        return BadSettings(
            "MASTER_KEY_MISSING",
            f"{self.file} does not hold the master key {key_id}, which closes persons' keys; put its copy back",
        )

    def _stamp_of_file(self) -> tuple[int, int] | None:
        try:
            found = self.file.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadSettings("MASTER_KEY_UNREADABLE", f"{self.file} cannot be read") from error
        return found.st_mtime_ns, found.st_ino

    def _write(self, keys: MasterKeys) -> None:
        try:
            prepared = _prepare(self.file, keys)
            prepared.replace(self.file)
            sync_folder(self.file.parent)
        except OSError as error:
            raise BadSettings(
                "MASTER_KEY_UNWRITABLE", f"{self.file} cannot be written; change it where the file comes from"
            ) from error
        self._keys, self._stamp = keys, self._stamp_of_file()


def new_master_key(made_at: datetime | None = None) -> MasterKey:
    """Return a new random key; its id begins with the day it was made, if that is known."""
    day = "first" if made_at is None else made_at.date().isoformat()
    return MasterKey(f"{day}-{secrets.token_hex(4)}", secrets.token_bytes(_SECRET_BYTES))


def new_key_file(file: Path) -> None:
    """Make *file* with one new key, for its owner only; one that another process made meanwhile is left.

    Raises:
        BadSettings: the file cannot be written.
    """
    keys = MasterKeys(secrets.token_bytes(_SECRET_BYTES), (new_master_key(),))
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        prepared = _prepare(file, keys)
        try:
            # Unlike a rename, a link fails if the name is taken: of several processes one makes the file.
            os.link(prepared, file)
        except FileExistsError:
            pass
        finally:
            prepared.unlink()
        sync_folder(file.parent)
    except OSError as error:
        raise BadSettings("MASTER_KEY_UNWRITABLE", f"{file} cannot be written") from error


def read_keys(file: Path) -> MasterKeys:
    """Return what *file* holds.

    Raises:
        BadSettings: it cannot be read, or holds no master keys, or others than its owner may read it.
    """
    try:
        if file.stat().st_mode & 0o077 and os.access(file, os.W_OK) and file.stat().st_uid == os.getuid():
            raise BadSettings("MASTER_KEY_OPEN", f"{file} can be read by others; chmod 600 it")
        found = tomllib.loads(file.read_text(encoding="utf-8"))
        keys = MasterKeys(
            _decoded(found["index_secret"]),
            tuple(MasterKey(str(each["id"]), _decoded(each["secret"])) for each in found["master_key"]),
        )
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings("MASTER_KEY_UNREADABLE", f"{file} cannot be read") from error
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, binascii.Error):
        # Not quoted, and not chained: it might show a secret.
        raise BadSettings("MASTER_KEY_UNREADABLE", f"{file} is no file of master keys") from None
    if not keys.keys:
        raise BadSettings("MASTER_KEY_UNREADABLE", f"{file} holds no master key")
    return keys


def _decoded(text: str) -> bytes:
    secret = base64.b64decode(text, validate=True)
    if len(secret) != _SECRET_BYTES:
        raise ValueError("a secret of another length")
    return secret


def _prepare(file: Path, keys: MasterKeys) -> Path:
    """Write *keys* durably to a new file beside *file*; mkstemp makes it readable for its owner only."""
    lines = [_HEAD, f'index_secret = "{base64.b64encode(keys.index_secret).decode()}"\n']
    lines += [
        f'\n[[master_key]]\nid = "{key.key_id}"\nsecret = "{base64.b64encode(key.secret).decode()}"\n'
        for key in keys.keys
    ]
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as prepared:
        prepared.writelines(lines)
        prepared.flush()
        os.fsync(prepared.fileno())
    return Path(name)


def sync_folder(folder: Path) -> None:
    """Make durable that a file in *folder* was made or renamed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
