"""What the embedded engine is made of, as pinned in artefacts.toml."""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

_PINNED = Path(__file__).with_name("artefacts.toml")


@dataclass(frozen=True, slots=True)
class Artefact:
    """One file, known by its Maven coordinate and true only with this size and SHA-256."""

    group: str
    name: str
    version: str
    packaging: str
    size_bytes: int
    sha256: str

    @property
    def filename(self) -> str:
        """Return the name that repositories give the file."""
        return f"{self.name}-{self.version}.{self.packaging}"

    def matches(self, file: Path) -> bool:
        """Say whether *file* is whole and unchanged."""
        if not file.is_file() or file.stat().st_size != self.size_bytes:
            return False
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == self.sha256


@dataclass(frozen=True, slots=True)
class Bundle:
    """Artefacts that are fetched and laid out together; `unpacked` ones are archives whose content counts."""

    name: str
    artefacts: tuple[Artefact, ...]
    unpacked: bool

    @property
    def size_bytes(self) -> int:
        """Return what must be downloaded."""
        return sum(artefact.size_bytes for artefact in self.artefacts)

    @property
    def folder(self) -> str:
        """Return a folder name that changes whenever any artefact does."""
        pins = "".join(artefact.sha256 for artefact in self.artefacts)
        return f"{self.name}-{hashlib.sha256(pins.encode()).hexdigest()[:12]}"


def bundle_of(name: str, pins: dict[str, dict[str, int | str]], *, unpacked: bool) -> Bundle:
    """Return the bundle that a section of a file of pins makes."""
    artefacts = []
    for coordinate, pin in pins.items():
        group, artefact, version, packaging = coordinate.split(":")
        artefacts.append(Artefact(group, artefact, version, packaging, int(pin["bytes"]), str(pin["sha256"])))
    return Bundle(name, tuple(artefacts), unpacked)


def pinned(path: Path = _PINNED) -> tuple[Bundle, Bundle]:
    """Return the engine's distribution and the search store's class path, as the file at *path* pins them."""
    pins = tomllib.loads(path.read_text("utf-8"))
    return bundle_of("engine", pins["engine"], unpacked=True), bundle_of("search", pins["search"], unpacked=False)
