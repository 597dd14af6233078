"""The wordings that people agree to, `config/consent-texts/<version>.<language>.md`: each stands for ever as it is."""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from waggle.errors import BadSettings
from waggle.ports.unit_of_work import Transaction

_NAME = re.compile(r"(?P<version>[a-z0-9]+(?:-[a-z0-9]+)*)\.(?P<language>[a-z]{2,3})")


@dataclass(frozen=True, slots=True)
class ConsentText:
    """One wording in one language."""

    version: str
    language: str
    text: str

    @property
    def sha256(self) -> str:
        """Of its bytes in UTF-8."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class ConsentTextBook:
    """Every wording of an installation."""

    def __init__(self, texts: Mapping[tuple[str, str], ConsentText]) -> None:
        self._texts = dict(texts)

    def text(self, version: str, language: str) -> str | None:
        """Return the wording in that language, else in English."""
        found = self._texts.get((version, language)) or self._texts.get((version, "en"))
        return None if found is None else found.text

    def exact(self, version: str, language: str) -> str:
        """Return how a consent names the wording that `text` gives for this language."""
        return f"{version}.{language if (version, language) in self._texts else 'en'}"

    def all(self) -> list[ConsentText]:
        """Return them by version and language."""
        return [text for _, text in sorted(self._texts.items())]

    def keep(self, tx: Transaction, at: datetime) -> None:
        """Store the wordings that are new, so that a proof shows them whatever becomes of the files.

        Raises:
            BadSettings: CONSENT_TEXT_CHANGED, one was changed that people may have agreed to already.
        """
        for text in self.all():
            known = tx.consent_texts.sha256s(text.version).get(text.language)
            if known is None:
                tx.consent_texts.add(text.version, text.language, text.sha256, text.text, at)
            elif known != text.sha256:
                raise BadSettings(
                    "CONSENT_TEXT_CHANGED",
                    f"config/consent-texts/{text.version}.{text.language}.md is not what it was when it was first "
                    "used; put it back, and give the new wording a new version",
                )

    def is_kept(self, tx: Transaction) -> bool:
        """Say whether every wording is stored, as it stands here."""
        return all(tx.consent_texts.sha256s(each.version).get(each.language) == each.sha256 for each in self.all())


def load_consent_texts(config_dir: Path) -> ConsentTextBook:
    """Read every wording.

    Raises:
        BadSettings: CONSENT_TEXT_WRONG, a file has no version and language in its name, or is not UTF-8.
    """
    found = [load_consent_text(file) for file in sorted((config_dir / "consent-texts").glob("*.md"))]
    return ConsentTextBook({(each.version, each.language): each for each in found})


def load_consent_text(file: Path) -> ConsentText:
    """Read one wording.

    Raises:
        BadSettings: CONSENT_TEXT_WRONG.
    """
    named = _NAME.fullmatch(file.stem)
    if named is None:
        raise BadSettings("CONSENT_TEXT_WRONG", f"{file}: name it <version>.<language>.md")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings("CONSENT_TEXT_WRONG", f"{file}: it cannot be read as UTF-8") from error
    return ConsentText(named["version"], named["language"], text)


class Purpose(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing that a customer may want or not, as the preference centre shows it."""

    channels: list[str]
    kind: str = "opt-in"
    """`opt-in`: nothing happens without a yes. `opt-out`: it happens until a no."""
    text: str | None = None
    """The version of the wording that a yes agrees to."""
    label: dict[str, str]
    explanation: dict[str, str]
    """Per language; English is there."""


def load_purposes(config_dir: Path, texts: ConsentTextBook) -> Mapping[str, Purpose]:
    """Read `consents.toml`.

    Raises:
        BadSettings: CONSENT_PURPOSES_WRONG, naming the purpose.
    """
    file = config_dir / "consents.toml"
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings("CONSENT_PURPOSES_WRONG", f"{file}: {error}") from error
    purposes = {}
    for name, table in tables.items():
        try:
            purpose = msgspec.convert(table, Purpose)
        except msgspec.ValidationError as error:
            raise BadSettings("CONSENT_PURPOSES_WRONG", f"{file}: [{name}] {error}") from error
        if purpose.kind not in {"opt-in", "opt-out"} or "en" not in purpose.label or "en" not in purpose.explanation:
            raise BadSettings(
                "CONSENT_PURPOSES_WRONG", f"{file}: [{name}] give kind opt-in or opt-out, and both texts in en"
            )
        if purpose.text is not None and texts.text(purpose.text, "en") is None:
            raise BadSettings(
                "CONSENT_PURPOSES_WRONG", f"{file}: [{name}] config/consent-texts/{purpose.text}.en.md is missing"
            )
        purposes[name] = purpose
    return purposes
