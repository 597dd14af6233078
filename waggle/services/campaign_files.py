"""Campaigns: `config/campaigns/<name>.toml`, read and checked."""

import tomllib
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec

from waggle.domain.message import TRANSACTIONAL
from waggle.errors import BadSettings
from waggle.services.rendering import MessageTemplates

_Count = Annotated[int, msgspec.Meta(ge=1)]


class CampaignFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a marketer says of a campaign."""

    title: str
    segment: str
    template: str
    test_to: list[str] = []
    """Addresses of the team, each of which gets the message before anybody is asked to approve it."""
    messages_per_minute: _Count = 600
    """Of the whole campaign, however many workers send it."""
    most_recipients: _Count = 1_000_000
    """A segment with more stops the campaign before anybody is asked."""
    holdout_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    valid_for: timedelta = timedelta(days=3)
    """How long after its turn a message still makes sense."""
    sender: str | None = None


class CampaignBook:
    """Every campaign that may be run, by the name of its file."""

    def __init__(self, campaigns: Mapping[str, CampaignFile]) -> None:
        self._campaigns = campaigns

    @property
    def names(self) -> list[str]:
        """What may be run."""
        return sorted(self._campaigns)

    def get(self, name: str) -> CampaignFile:
        """Return one.

        Raises:
            BadSettings: CAMPAIGN_UNKNOWN.
        """
        if name not in self._campaigns:
            known = ", ".join(self.names) or "none"
            raise BadSettings("CAMPAIGN_UNKNOWN", f"there is no config/campaigns/{name}.toml; there are: {known}")
        return self._campaigns[name]


def load_campaign_book(config_dir: Path, segments: Collection[str], templates: MessageTemplates) -> CampaignBook:
    """Read every file in `campaigns/`.

    Raises:
        BadSettings: CAMPAIGN_WRONG, or CAMPAIGN_UNREADABLE; the message says how to mend it.
    """
    purposes = {name: templates.declaration(name).purpose for name in templates.names}
    files = sorted((config_dir / "campaigns").glob("*.toml"))
    return CampaignBook({file.stem: load_campaign(file, segments, purposes) for file in files})


def load_campaign(file: Path, segments: Collection[str], purposes: Mapping[str, str]) -> CampaignFile:
    """Read one file; *purposes* says of every message what it is sent for.

    Raises:
        BadSettings: CAMPAIGN_WRONG, or CAMPAIGN_UNREADABLE.
    """
    try:
        campaign = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), CampaignFile)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadSettings("CAMPAIGN_UNREADABLE", f"{file}: {error}") from error
    if problem := _problem(campaign, segments, purposes):
        raise BadSettings("CAMPAIGN_WRONG", f"{file}: {problem}")
    return campaign


def _problem(campaign: CampaignFile, segments: Collection[str], purposes: Mapping[str, str]) -> str:
    if campaign.segment not in segments:
        return f'there is no segment "{campaign.segment}": use one of {", ".join(sorted(segments)) or "none yet"}'
    if campaign.template not in purposes:
        return f'there is no message "{campaign.template}" in config/messages'
    if purposes[campaign.template] == TRANSACTIONAL:
        return f'the message "{campaign.template}" belongs to an order and cannot be a campaign\'s'
    if campaign.valid_for <= timedelta():
        return "valid_for has to be a duration above zero, such as P3D"
    wrong = [each for each in (*campaign.test_to, campaign.sender or "a@b") if "@" not in each]
    return f"{wrong[0]!r} is no e-mail address" if wrong else ""
