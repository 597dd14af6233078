"""What the benchmark of campaigns makes of what it measured; how fast that is, no test says."""

from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.campaign.__main__ import report_of, told
from benchmarks.campaign.given import CAMPAIGN, SEGMENT, add_campaign
from waggle.resources import shipped
from waggle.services.campaign_files import load_campaign_book
from waggle.services.rendering import MessageTemplates
from waggle.services.segments import load_segments


def row(way: str, **changes: object) -> dict[str, Any]:
    measured = {
        "way": way, "database": "sqlite", "workers": 1, "connections": 4, "recipients": 1000,
        "lasted_s": 9.9, "per_s": 101.0, "doubled": 0, "counted_s": 0.4, "instances": 1, "jobs": 9,
        "cpu_s": {"worker-1": 8.0, "relay": 0.1},
    }  # fmt: skip
    return {**measured, **changes}


def test_the_campaign_that_is_measured_can_be_run(tmp_path: Path) -> None:
    for folder in ("segments", "campaigns"):
        (tmp_path / folder).mkdir()
    add_campaign(tmp_path)

    templates = MessageTemplates.load(shipped("config") / "messages")
    book = load_campaign_book(tmp_path, load_segments(tmp_path), templates)

    assert book.get(CAMPAIGN).segment == SEGMENT


def test_only_the_campaign_has_to_do_with_one_instance() -> None:
    found = report_of([row("one instance", doubled=1), row("one instance each", instances=1000)])

    assert [(goal.measured, goal.met) for goal in found.goals] == [(1, True), (1, False)]


def test_the_table_names_both_ways() -> None:
    console = Console(width=140, record=True, file=StringIO())
    told([row("one instance"), row("one instance each", instances=1000)], console)

    text = console.export_text()
    assert "one instance each" in text
    assert "8.0" in text
