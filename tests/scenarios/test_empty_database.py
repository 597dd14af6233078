"""A database without rows is made once for all runs, as long as its tables stay as they are."""

from pathlib import Path

from waggle.scenarios.empty_database import empty_database


class Maker:
    def __init__(self) -> None:
        self.made = 0

    def make(self, folder: Path) -> Path:
        self.made += 1
        file = folder / "waggle.db"
        file.write_text(f"tables, {self.made}", encoding="utf-8")
        return file


def test_the_second_run_finds_what_the_first_made(tmp_path: Path) -> None:
    maker = Maker()

    first = empty_database(tmp_path / "home", maker.make)
    second = empty_database(tmp_path / "home", maker.make)

    assert (first, maker.made) == (second, 1)
    assert second.read_text(encoding="utf-8") == "tables, 1"


def test_one_with_the_tables_of_another_version_gives_way(tmp_path: Path) -> None:
    old = tmp_path / "tables-0123456789abcdef.db"
    old.write_text("old tables", encoding="utf-8")

    made = empty_database(tmp_path, Maker().make)

    assert list(tmp_path.iterdir()) == [made]
