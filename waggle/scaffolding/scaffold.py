"""Files to be written, and what to do next."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from waggle.errors import BadSettings

_HERE: Final = Path(__file__).parent
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Scaffold:
    """Nothing is written before everything was found free."""

    new: Mapping[Path, str]
    changed: Mapping[Path, str] = field(default_factory=dict)
    """Files that are there, and what they hold from now on."""
    next_steps: tuple[str, ...] = ()

    def carry_out(self) -> None:
        """Write the files.

        Raises:
            BadSettings: EXISTS_ALREADY, one of them is there; none was written.
        """
        if there := [str(file) for file in self.new if file.exists()]:
            raise BadSettings("EXISTS_ALREADY", f"nothing was written, since these are there: {', '.join(there)}")
        for file, text in {**self.new, **self.changed}.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")


def checked(name: str, what: str) -> str:
    """Return *name* if a journey, task or connector may be called so.

    Raises:
        BadSettings: NAME_WRONG.
    """
    if not _NAME.fullmatch(name):
        raise BadSettings("NAME_WRONG", f"a {what} is called in small letters, digits and -, such as thank-you-note")
    return name


def filled(file: str, words: Mapping[str, str]) -> str:
    """Return a file of this folder, each of the placeholders in it replaced."""
    text = (_HERE / "files" / file).read_text(encoding="utf-8")
    return re.sub("|".join(sorted(words, key=len, reverse=True)), lambda found: words[found[0]], text)


def camel(name: str) -> str:
    """Return a name in kebab-case as the name of a class."""
    return "".join(part.capitalize() for part in name.split("-"))


def sentence(name: str) -> str:
    """Return a name in kebab-case as people write it."""
    return name.replace("-", " ").capitalize()
