"""Read of a form what a check needs besides its fields: which version it is, and what it was made for."""

import json
from dataclasses import dataclass
from pathlib import Path

from waggle.errors import BadSettings
from waggle.services.forms import ANSWERED, OWN_WORDS, read_form


@dataclass(frozen=True, slots=True)
class FormFile:
    """One file of `bpmn/forms`."""

    file: Path
    id: str
    version_tag: str | None
    engine_version: str | None
    answers: frozenset[str]
    """Keys of the fields whose answers reach the engine."""


def read_form_file(file: Path) -> FormFile:
    """Read one form.

    Raises:
        BadSettings: FORM_WRONG, it is no form, or one that our page cannot show.
    """
    form = read_form(file)
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadSettings("FORM_WRONG", f"{file}: {error}") from error
    return FormFile(
        file=file,
        id=form.id,
        version_tag=raw.get("versionTag"),
        engine_version=raw.get("executionPlatformVersion"),
        answers=frozenset(field.key for field in form.fields if field.kind in ANSWERED - OWN_WORDS),
    )
