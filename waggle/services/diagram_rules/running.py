"""What a running installation reads when it starts: segments, campaigns, levels, wordings, privacy map, mappings."""

import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from waggle.domain.mapping import MappingProblem, read_mapping
from waggle.errors import BadSettings
from waggle.services.campaign_files import load_campaign
from waggle.services.consent_texts import load_consent_text, load_consent_texts, load_purposes
from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.disclosure import load_disclosures
from waggle.services.findings import Finding
from waggle.services.loyalty import load_loyalty
from waggle.services.occasions import load_lasts
from waggle.services.privacy_map import load_privacy_map
from waggle.services.segments import load_segment
from waggle.services.state_rules import load_rules


def segments_can_be_read(known: Surroundings) -> Iterator[Finding]:
    """A segment has a title, names somebody, and asks fields for what they hold."""
    for file in sorted(known.config_dir.glob("segments/*.toml")):
        yield from _refused(
            file,
            partial(load_segment, file),
            "no worker starts, so that every journey stands still",
            "correct the rule that is named; the table of fields stands in config/segments/newsletter-readers.toml",
        )


def campaigns_can_be_run(known: Surroundings) -> Iterator[Finding]:
    """A campaign names a segment and a message that advertises, and its numbers and addresses are such."""
    for file in sorted(known.config_dir.glob("campaigns/*.toml")):
        yield from _refused(
            file,
            partial(load_campaign, file, known.segments, known.templates),
            "no worker starts, so that every journey stands still",
            "correct the key that is named; docs/howto-campaign.md has a whole file",
        )


def loyalty_levels_rise(known: Surroundings) -> Iterator[Finding]:
    """Config/loyalty.toml says what earns a point, and its levels stand from the lowest to the highest."""
    yield from _refused(
        known.config_dir / "loyalty.toml",
        partial(load_loyalty, known.config_dir),
        "no worker starts, so that every journey stands still",
        "write minor_per_point as a whole number, and [levels.<name>] with from_points, the lowest first",
    )


def products_last_for_a_time(known: Surroundings) -> Iterator[Finding]:
    """Config/replenishment.toml says of each product how long one piece lasts, as a duration above zero."""
    yield from _refused(
        known.config_dir / "replenishment.toml",
        partial(load_lasts, known.config_dir),
        "the relay does not start: events wait, and no journey begins or ends",
        'write the product\'s number in quotation marks and a duration, as in "honey-500g" = "P30D"',
    )


def wordings_are_named_by_version_and_language(known: Surroundings) -> Iterator[Finding]:
    """A wording of config/consent-texts is called <version>.<language>.md, and can be read as UTF-8."""
    for file in sorted(known.config_dir.glob("consent-texts/*.md")):
        yield from _refused(
            file,
            partial(load_consent_text, file),
            "the relay and the API do not start: events wait, and the shop's calls fail",
            "name it like marketing-email-1.en.md, and save it as UTF-8",
        )


def purposes_can_be_explained(known: Surroundings) -> Iterator[Finding]:
    """A purpose of config/consents.toml has channels, a kind, both texts in English, and a wording that is there."""
    try:
        texts = load_consent_texts(known.config_dir)
    except BadSettings:
        # The rule about wordings says which file is to blame.
        return
    yield from _refused(
        known.config_dir / "consents.toml",
        partial(load_purposes, known.config_dir, texts),
        "the API does not start: the shop's calls fail, and nobody can unsubscribe",
        "correct the purpose that is named; what each needs is said at the top of the file",
    )


def the_privacy_map_can_be_read(known: Surroundings) -> Iterator[Finding]:
    """Config/privacy.toml explains each table, leads from every row to its person, and names fields that may leave."""
    for read in (load_privacy_map, load_disclosures):
        wrong = list(
            _refused(
                known.config_dir / "privacy.toml",
                partial(read, known.config_dir),
                "the relay and the API do not start: nobody is erased, and nothing is deleted when it is time",
                "correct the section that is named; what each key takes is said at the top of the file",
            )
        )
        yield from wrong
        if wrong:
            return


def mappings_can_be_read(known: Surroundings) -> Iterator[Finding]:
    """A mapping of config/mappings makes events that there are, with every field that these need."""
    for file in sorted(known.config_dir.glob("mappings/*.toml")):
        yield from _refused(
            file,
            partial(_mapped, file),
            "the source that names it is neither asked nor heard",
            "correct the place that is named; docs/howto-mapping.md lists what may stand there",
        )


def preferred_sources_are_for_fields(known: Surroundings) -> Iterator[Finding]:
    """Config/state.toml says whose word counts for fields that there are."""
    yield from _refused(
        known.config_dir / "state.toml",
        partial(load_rules, known.config_dir, merge_by_email=True, merge_by_phone=False),
        "the relay does not start: events wait, and no journey begins or ends",
        'write [<thing>] and <field> = { prefer = ["source"] } with things and fields of the list at its top',
    )


def _refused(file: Path, read: Callable[[], object], consequence: str, mend: str) -> Iterator[Finding]:
    try:
        read()
    except BadSettings as error:
        yield Finding(file, file.stem, "", error.message.removeprefix(f"{file}: "), consequence, mend)


def _mapped(file: Path) -> None:
    try:
        read_mapping(tomllib.loads(file.read_text(encoding="utf-8")), file.stem)
    except MappingProblem as problem:
        raise BadSettings("MAPPING_WRONG", str(problem).removeprefix(f"{file.stem}: ")) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings("CONFIG_UNREADABLE", str(error)) from error
