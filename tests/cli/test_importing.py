"""`waggle import` as somebody uses it who has a file."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.place import Place

HEAD = "Booking no;Kind;Booking date;Order no;Currency;Amount\n"
GOOD = 'B-1;PAYMENT;29.03.2026 12:00;O-1;EUR;"1.234,50"\n'
BAD = "B-2;REFUND;yesterday;O-2;EUR;1,00\n"


@pytest.fixture
def file(place: Place, tmp_path: Path) -> Path:
    return tmp_path / "bookings.csv"


def given(file: Path, *more: str) -> list[str]:
    mapping = ("--mapping", "accounting-payments", "--delimiter", ";")
    return ["import", "orders", str(file), "--source", "bank", *mapping, "--by", "kim", *more]


def test_a_good_file_is_taken_in_and_a_second_time_nothing_is_done(waggle: CommandLine, file: Path) -> None:
    file.write_text(HEAD + GOOD)

    first, second = waggle(*given(file)), waggle(*given(file))

    assert (first.code, second.code) == (0, 0)
    assert first.out == "2 lines read: 1 events accepted, 0 known already, 0 lines refused.\n"
    assert "nothing was done" in second.out


def test_a_mapping_that_is_not_there_is_named_with_those_that_are(waggle: CommandLine, file: Path) -> None:
    file.write_text(HEAD + GOOD)

    said = waggle("import", "orders", str(file), "--source", "bank", "--mapping", "accounting")

    assert said.code == 2
    assert said.err.startswith("waggle: MAPPING_UNKNOWN: there is no ")
    assert "there are: accounting-payments, " in said.err


def test_refused_lines_end_it_with_1_and_their_values_stay_in_the_error_file(
    waggle: CommandLine, file: Path, tmp_path: Path
) -> None:
    file.write_text(HEAD + GOOD + BAD)

    said = waggle(*given(file, "--errors", str(tmp_path / "errors.csv")))

    assert said.code == 1
    assert "RECORD_UNREADABLE: 1" in said.out
    assert "yesterday" not in said.out + said.err
    assert "yesterday" in (tmp_path / "errors.csv").read_text()


def test_a_dry_run_for_a_program(waggle: CommandLine, file: Path) -> None:
    file.write_text(HEAD + GOOD + BAD)

    said = waggle(*given(file, "--dry-run", "--json"))

    told = json.loads(said.out)
    assert (said.code, told["accepted"], told["refused"], told["reasons"]) == (1, 1, 1, {"RECORD_UNREADABLE": 1})
    assert "1 events accepted" in waggle(*given(file)).out


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--mapping", "no-such"], "MAPPING_UNKNOWN"),
        (["--mapping", "erp-stock"], "MAPPING_OF_ANOTHER_KIND"),
        (["--encoding", "utf-16"], "ENCODING_UNKNOWN"),
    ],
)
def test_what_is_wrong_with_the_order_ends_it_with_2(
    waggle: CommandLine, file: Path, more: list[str], code: str
) -> None:
    file.write_text(HEAD + GOOD)
    order = given(file)
    if more[0] == "--mapping":
        order[order.index("--mapping") + 1] = more[1]
    else:
        order += more

    said = waggle(*order)

    assert said.code == 2
    assert code in said.err


@pytest.mark.parametrize("mapping", ["accounting-payments", "no-such"])
def test_a_file_that_is_not_there_is_named_before_anything_else(waggle: CommandLine, file: Path, mapping: str) -> None:
    said = waggle("import", "orders", str(file), "--source", "bank", "--mapping", mapping)

    assert (said.code, said.err) == (2, f"waggle: FILE_MISSING: {file} is not there\n")


def test_a_folder_is_no_file_to_take_in(waggle: CommandLine, file: Path) -> None:
    said = waggle("import", "orders", str(file.parent), "--source", "bank")

    assert (said.code, said.err) == (2, f"waggle: FILE_MISSING: {file.parent} is no file\n")
