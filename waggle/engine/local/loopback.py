"""Bind the engine's one socket that has no setting for it to loopback.

The gossip socket (UDP) of the cluster library in 8.6.0 listens on every address whatever the settings say. Its class,
`NettyUnicastService` (Atomix, Apache License 2.0), keeps two addresses: the one to bind, always the wildcard, and the
one it advertises, which we set to loopback. Here the method `bind` is made to read the second instead of the first, in
a copy of that one class which lies before the distribution's jars on the class path. The distribution is unchanged.
"""

import hashlib
import zipfile
from pathlib import Path

JAR = "waggle-loopback.jar"

_LIBRARY = "lib/zeebe-atomix-cluster-8.6.0.jar"
_CLASS = "io/atomix/cluster/messaging/impl/NettyUnicastService.class"
_SHA256 = "7626a57b4d7e168e948b1ee5012e1ad83f3b8457ad36e7c3c318d717b11bbdbd"
# aload_0, getfield bindAddress (0x52), invokevirtual host (0x125) or port (0x45): the field becomes
# advertisedAddress (0x28).
_PATCHES = (
    (bytes.fromhex("2ab40052b60125"), bytes.fromhex("2ab40028b60125")),
    (bytes.fromhex("2ab40052b60045b60128"), bytes.fromhex("2ab40028b60045b60128")),
)


def lay_out(distribution: Path) -> None:
    """Write JAR into *distribution*'s root; another distribution, whose class differs, is left as it is."""
    library = distribution / _LIBRARY
    if not library.is_file():
        return
    with zipfile.ZipFile(library) as jar:
        code = jar.read(_CLASS)
    if hashlib.sha256(code).hexdigest() != _SHA256:
        return
    for old, new in _PATCHES:
        code = code.replace(old, new, 1)
    with zipfile.ZipFile(distribution / JAR, "w") as jar:
        jar.writestr(zipfile.ZipInfo(_CLASS, date_time=(2024, 10, 8, 0, 0, 0)), code)
