"""What is said once is not said again in other words."""

from pathlib import Path

import pytest

from tests.services.planting import SAMPLE, found_in, lay_out
from waggle.services.bpmnlint_words import in_words


@pytest.mark.parametrize("kept", [0, 0.5], ids=["emptied", "saved by half"])
def test_of_a_diagram_that_cannot_be_read_only_that_is_said(tmp_path: Path, kept: float) -> None:
    """Whoever mended what follows from it would remove its entries, settings and scenarios."""
    shop = lay_out(tmp_path)
    before = set(found_in(shop))
    diagram = shop / SAMPLE
    content = diagram.read_bytes()
    diagram.write_bytes(content[: int(len(content) * kept)])

    [finding] = set(found_in(shop)) - before

    assert (finding.file, finding.rule, finding.mend) == (diagram, "files-can-be-read", "save it from Modeler")


def test_a_diagram_that_was_taken_away_is_missed_by_what_names_it(tmp_path: Path) -> None:
    shop = lay_out(tmp_path)
    before = set(found_in(shop))
    (shop / SAMPLE).unlink()

    assert {finding.rule for finding in set(found_in(shop)) - before} >= {
        "catalogue-entries-have-diagrams",
        "settings-have-a-journey",
    }


def test_bpmnlint_does_not_say_once_more_that_a_file_cannot_be_read(tmp_path: Path) -> None:
    shop = lay_out(tmp_path)
    diagram = shop / SAMPLE
    diagram.write_bytes(b"")
    linted = [{"file": str(diagram), "rule": "import", "id": None, "message": "nested error: missing start tag"}]

    assert in_words(linted, found_in(shop)) == []
    assert len(in_words(linted, ())) == 1
