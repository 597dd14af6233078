"""The key that signs checkpoints of the audit log: Ed25519, one per installation, outside the database."""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from waggle.errors import BadSettings

_FILE = "audit.pem"
_PUBLIC_FILE = "audit.pub.pem"


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """Return the key in *folder*, made if there is none yet; its public half lies beside it.

    Raises:
        BadSettings: SIGNING_KEY, the file cannot be read or written, or holds no such key.
    """
    file = folder / _FILE
    try:
        if not file.exists():
            _make(folder)
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadSettings("SIGNING_KEY", f"{file} cannot be read or made, or holds no Ed25519 key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadSettings("SIGNING_KEY", f"{file} holds another kind of key than Ed25519")
    return key


def _make(folder: Path) -> None:
    key = Ed25519PrivateKey.generate()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    whole = folder / f".{_FILE}.{os.getpid()}"
    with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(private)
        file.flush()
        os.fsync(file.fileno())
    try:
        # Unlike a rename it fails if another process was first: then that one's key stands.
        os.link(whole, folder / _FILE)
        (folder / _PUBLIC_FILE).write_bytes(public)
    except FileExistsError:
        pass
    finally:
        whole.unlink()
