"""Turn the keys of a section into its frozen dataclass."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from waggle.domain.secret import Secret
from waggle.errors import BadSettings

T = TypeVar("T")


def typed_section(
    kind: type[T], keys: Mapping[str, object], section: str, sources: Mapping[str, str] = MappingProxyType({})
) -> T:
    """Return the keys of a section as its frozen dataclass; texts from the environment become numbers and switches.

    *sources*, as in `Settings`, let an error say where the wrong value came from.

    Raises:
        BadSettings: a key is unknown, missing or of the wrong kind.
    """
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    for key in keys:
        if key not in known:
            raise BadSettings(
                "SETTING_UNKNOWN",
                f"{section}.{key} is no setting{_from(f'{section}.{key}', sources)}; known: {', '.join(sorted(known))}",
            )
    try:
        return msgspec.convert(dict(keys), kind, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise BadSettings("SETTING_WRONG", _wrong(str(error), section, sources)) from error


def connector_section(
    kind: type[T],
    common: type,
    keys: Mapping[str, object],
    section: str,
    sources: Mapping[str, str] = MappingProxyType({}),
) -> T:
    """Return the keys of [*section*] that *kind* knows, typed; those that only *common* knows are left out.

    `<key>_file` names a file that holds the value of `<key>`, unless *kind* has a key of that name itself.

    Raises:
        BadSettings: a key is unknown, missing or of the wrong kind, or a file cannot be read.
    """
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    shared = {each.name for each in fields(common)} - known
    own: dict[str, object] = {}
    for key, value in keys.items():
        if key in shared:
            continue
        held = key.removesuffix("_file")
        if key not in known and held in known and held != key:
            own[held] = read_secret(f"{section}.{key}", str(value))
        else:
            own[key] = value
    return typed_section(kind, own, section, sources)


def common_section(
    common: type[T], keys: Mapping[str, object], section: str, sources: Mapping[str, str] = MappingProxyType({})
) -> T:
    """Return those keys of [*section*] that *common* knows, typed.

    Raises:
        BadSettings: one is missing or of the wrong kind.
    """
    known = {each.name for each in fields(common)}  # type: ignore[arg-type]
    return typed_section(common, {key: keys[key] for key in keys if key in known}, section, sources)


def read_table(file: Path) -> dict[str, Any]:
    """Return what a TOML file says.

    Raises:
        BadSettings: CONFIG_UNREADABLE.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings("CONFIG_UNREADABLE", f"{file}: {error}") from error


def read_secret(name: str, file: str) -> str:
    """Return what lies in *file*, which the setting *name* names.

    Raises:
        BadSettings: CONFIG_UNREADABLE.
    """
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings("CONFIG_UNREADABLE", f"{name} names {file}, which cannot be read") from error


def _wrong(error: str, section: str, sources: Mapping[str, str]) -> str:
    """Turn "Expected `int`, got `str` - at `$.port`" into words that begin with the setting; no value is quoted."""
    expected, found, path = error.rpartition(" - at `$.")
    if not found:
        return f"[{section}] {error}"
    setting = f"{section}.{path.rstrip('`')}"
    return f"{setting}: {expected}{_from(setting, sources)}"


def _from(setting: str, sources: Mapping[str, str]) -> str:
    return f", from {sources[setting]}" if setting in sources else ""


def _decode(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    # msgspec makes its own error of it, which says where.
    raise TypeError(f"Expected `str`, got `{type(value).__name__}`")
