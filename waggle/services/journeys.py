"""What an analyst may set for a journey without drawing: `config/journeys/<process id>.toml`."""

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import msgspec

from waggle.errors import BadSettings
from waggle.ports.journey_engine import Scalar


class EntrySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Decided in the transaction of the event that knocks."""

    enabled: bool = True
    """False: nobody enters; who is in already goes on."""
    priority: int = 50
    """0 to 100; of two journeys that want to write to one customer, the higher one may."""
    cool_down: timedelta = timedelta(0)
    holdout_percent: int = 0


class JourneySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`settings` go to the diagram as they stand; the rest stays here."""

    settings: dict[str, Scalar] = {}
    entry: EntrySettings = EntrySettings()
    exits: dict[str, bool] = {}


class JourneyBook:
    """The settings of every journey by process id; a journey without a file has none."""

    def __init__(self, journeys: Mapping[str, JourneySettings]) -> None:
        self._journeys = journeys

    def of(self, journey: str) -> JourneySettings:
        """Return what is set for *journey*."""
        return self._journeys.get(journey, JourneySettings())

    def enabled(self, journey: str) -> bool:
        """Say whether anybody may enter *journey*."""
        return self.of(journey).entry.enabled

    @property
    def names(self) -> list[str]:
        """Process ids that have a file."""
        return sorted(self._journeys)


def load_journeys(config_dir: Path) -> JourneyBook:
    """Read every file in `journeys/`.

    Raises:
        BadSettings: a file cannot be read, or a key is unknown or of the wrong kind.
    """
    found = {}
    for file in sorted((config_dir / "journeys").glob("*.toml")):
        try:
            found[file.stem] = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), JourneySettings)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise BadSettings("JOURNEY_SETTINGS_WRONG", f"{file}: {error}") from error
        for name in ("holdout_percent", "priority"):
            if not 0 <= getattr(found[file.stem].entry, name) <= 100:  # noqa: PLR2004 -- percent
                raise BadSettings("JOURNEY_SETTINGS_WRONG", f"{file}: [entry] {name} must lie between 0 and 100")
    return JourneyBook(found)
