"""`waggle diff`: what is compared with what."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.place import ROOT
from waggle.app import App
from waggle.ports.versions import DeployedFile, Deployment
from waggle.settings import load_settings

CART = ROOT / "bpmn/journeys/abandoned-cart.bpmn"
TIMER = "=duration(settings.reply_window)"
SENTENCE = 'Timer "Reply window over" now waits settings.reply_window instead of settings.order_window'


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The abandoned cart as it was when its timer read another setting."""
    file = tmp_path / "earlier.bpmn"
    file.write_text(CART.read_text().replace(TIMER, "=duration(settings.order_window)", 1))
    return file


def test_two_files_are_compared_element_by_element(waggle: CommandLine, earlier: Path) -> None:
    said = waggle("diff", str(earlier), str(CART))

    assert said.code == 0
    assert said.out.splitlines() == ["abandoned-cart.bpmn", f"  ~ {SENTENCE}"]


def test_a_journey_named_alone_is_the_one_that_is_there_now(waggle: CommandLine, earlier: Path) -> None:
    assert SENTENCE in waggle("diff", str(earlier), "abandoned-cart").out


def test_a_deployed_version_is_compared_by_its_tag_or_number(waggle: CommandLine, earlier: Path) -> None:
    asyncio.run(deploy(earlier.read_bytes()))

    assert SENTENCE in waggle("diff", "abandoned-cart@0.9.0", "abandoned-cart").out
    assert SENTENCE in waggle("diff", "abandoned-cart@3", "abandoned-cart").out


async def deploy(content: bytes) -> None:
    """Leave behind what a deployment does."""
    app = App(load_settings())
    at = datetime(2026, 5, 4, tzinfo=UTC)
    deployment = Deployment(
        deployment_id=0,
        at=at,
        by="ada",
        kind="deploy",
        environment="dev",
        bundle_sha256="b",
        context_sha256="c",
        why="",
    )
    file = DeployedFile(file=CART.name, sha256="s", name="abandoned-cart", version_tag="0.9.0", version=3, key=1)
    await app.store.run(lambda tx: tx.versions.add(deployment, [file], {"s": content}))
    app.close()


def test_an_unknown_version_is_refused(waggle: CommandLine) -> None:
    said = waggle("diff", "abandoned-cart@0.1.0", "abandoned-cart")

    assert said.code == 2
    assert "VERSION_UNKNOWN: abandoned-cart was not deployed as 0.1.0; deployed: none" in said.err


def test_programs_get_one_document(waggle: CommandLine, earlier: Path) -> None:
    [file] = json.loads(waggle("diff", str(earlier), str(CART), "--json").out)

    assert file == {
        "file": "abandoned-cart.bpmn",
        "differences": [{"element": "Event_ReplyWindowOver", "kind": "changed", "text": SENTENCE}],
    }


@pytest.mark.parametrize("name", ["changes.svg", "changes.html"])
def test_it_draws_what_changed(waggle: CommandLine, earlier: Path, tmp_path: Path, name: str) -> None:
    waggle("diff", str(earlier), str(CART), "--picture", str(tmp_path / name))

    drawn = (tmp_path / name).read_text()
    assert drawn.count('data-element-id="Event_ReplyWindowOver"') == 2
    assert "<svg " in drawn


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("only-one",), "DIFF_SIDES"),
        (("no-such-file", "abandoned-cart"), "DIFF_MISSING"),
        (("--git", "no-such-commit"), "DIFF_REF_UNKNOWN"),
    ],
)
def test_what_cannot_be_compared_is_refused(waggle: CommandLine, arguments: tuple[str, ...], code: str) -> None:
    said = waggle("diff", *arguments)

    assert said.code == 2
    assert code in said.err


def test_a_picture_is_an_svg_or_a_page(waggle: CommandLine, earlier: Path, tmp_path: Path) -> None:
    assert "DIFF_PICTURE" in waggle("diff", str(earlier), str(CART), "--picture", str(tmp_path / "a.png")).err
