"""A shop in which an analyst makes mistakes."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from waggle.registry import find_tasks
from waggle.resources import shipped
from waggle.services.diagram_checks import check_diagrams
from waggle.services.findings import Finding

SAMPLES = Path(__file__).parent / "sample_shop"

CART = "bpmn/journeys/abandoned-cart.bpmn"
SAMPLE = "bpmn/journeys/sample-reminder.bpmn"
TABLE = "bpmn/decisions/cart-offer.dmn"
CATALOGUE = "bpmn/engine-messages.toml"
SETTINGS = "config/journeys/sample-reminder.toml"
FORM = "bpmn/forms/approve-sample.form"
SCENARIO = "bpmn/scenarios/sample-reminder/replied.toml"
PIECE = "bpmn/pieces/sample-piece.bpmn"
SEGMENT = "config/segments/newsletter-readers.toml"
CAMPAIGN = "config/campaigns/spring-news.toml"
LOYALTY = "config/loyalty.toml"
REPLENISHMENT = "config/replenishment.toml"
WORDING = "config/consent-texts/marketing-email-1.en.md"
PURPOSES = "config/consents.toml"
PRIVACY = "config/privacy.toml"
MAPPING = "config/mappings/erp-stock.toml"
STATE = "config/state.toml"

TASKS = find_tasks()


@dataclass(frozen=True)
class Change:
    """Replaces the first `old` that stands behind `after`."""

    old: str
    new: str
    after: str = ""

    def made_in(self, text: str) -> str:
        """Return *text* with it."""
        start = text.index(self.after)
        assert self.old in text[start:], self.old
        return text[:start] + text[start:].replace(self.old, self.new, 1)


def lay_out(folder: Path) -> Path:
    """Make a small shop in *folder*: one real journey, one with everything in it, the pieces, and what both name."""
    bpmn, config = shipped("bpmn"), shipped("config")
    for file in (
        *(bpmn / "journeys" / "abandoned-cart.bpmn", bpmn / "decisions" / "cart-offer.dmn"),
        *(bpmn / "pieces" / f"{piece}.bpmn" for piece in ("send-when-allowed", "issue-coupon", "wait-for-engagement")),
        *(bpmn / "engine-messages.toml", config / "coupons.toml", config / "journeys" / "abandoned-cart.toml"),
        *(
            bpmn.parent / file
            for file in (SEGMENT, CAMPAIGN, LOYALTY, REPLENISHMENT, PURPOSES, PRIVACY, MAPPING, STATE)
        ),
        *(config / "consent-texts").glob("*.md"),
    ):
        put = folder / file.relative_to(bpmn.parent)
        put.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, put)
    for message in ("abandoned-cart", "abandoned-cart-reminder", "campaign-spring-news", "confirm-email", "shared"):
        shutil.copytree(config / "messages" / message, folder / "config" / "messages" / message)
    for name, to in (
        ("sample-reminder.bpmn", SAMPLE),
        ("sample-piece.bpmn", PIECE),
        ("approve-sample.form", FORM),
        ("sample-reminder.toml", SETTINGS),
        ("replied.toml", SCENARIO),
    ):
        (folder / to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLES / name, folder / to)
    with (folder / CATALOGUE).open("a", encoding="utf-8") as catalogue:
        catalogue.write((SAMPLES / "catalogue.toml").read_text(encoding="utf-8"))
    return folder


def found_in(shop: Path) -> list[Finding]:
    """Return what the check says of *shop*."""
    return check_diagrams(shop / "bpmn", shop / "config", TASKS)


def told(finding: Finding, shop: Path) -> tuple[str, str, str]:
    """Return what makes a finding the same in two copies of a shop."""
    return finding.rule, finding.element, finding.problem.replace(str(shop), "")
