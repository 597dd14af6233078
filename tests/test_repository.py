"""What holds for every file of the repository."""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IGNORED = {".git", *re.findall(r"^([\w.]+)/$", (ROOT / ".gitignore").read_text(), re.MULTILINE)}
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

# In parts, or this file would name them.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
        ("docker", "elastic", "co"),
        ("registry", "camunda", "cloud"),
    )
]
HOME = re.compile(r"(?<![\w.}])/(?:home|root|Users)/\w")


def files(pattern: str = "*") -> Iterator[Path]:
    """Every file that git would commit, from the tree itself: a copy without git is checked as well."""
    folders = [ROOT]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if path.is_dir():
                if path.name not in IGNORED and not path.is_symlink():
                    folders.append(path)
            elif path.match(pattern) and path.name != ".git":  # a linked work tree has a file there
                yield path


def texts() -> Iterator[tuple[Path, str]]:
    for path in files():
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_no_file_names_the_host_of_a_package_registry() -> None:
    found = [f"{path}: {host}" for path, text in texts() for host in REGISTRIES if host in text]

    assert found == []


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    found = [f"{path}: {match[0]}" for path, text in texts() for match in HOME.finditer(text)]
    found += [str(path) for path, text in texts() if str(ROOT) in text]

    assert found == []


def test_every_lock_is_there() -> None:
    assert [lock.name for lock in LOCKS] == ["build.lock", "dev.lock", "run.lock"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_pins_every_package_by_version_and_hash_and_names_no_place(lock: Path) -> None:
    text = lock.read_text()
    packages = re.sub(r"\\\n\s*", " ", text).strip().splitlines()
    loose = [
        line for line in packages if not re.match(r"[\w.\[\],-]+==[\w.!+]+ ", line) or "--hash=sha256:" not in line
    ]

    assert packages
    assert loose == []
    assert "://" not in text
    assert "--index" not in text


def test_what_runs_is_locked_alike_for_work() -> None:
    run, dev = (
        dict(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))
        for name in ("run.lock", "dev.lock")
    )

    assert run.items() <= dev.items()


def test_node_locks_pin_every_package_by_hash_and_name_no_place() -> None:
    wrong = []
    for lock in files("package-lock.json"):
        for name, package in json.loads(lock.read_text())["packages"].items():
            ours = not name or package.get("link") or not name.startswith("node_modules/")
            if "://" in package.get("resolved", "") or not (ours or package.get("integrity", "").startswith("sha512-")):
                wrong.append(f"{lock.relative_to(ROOT)}: {name}")

    assert wrong == []


def test_data_folders_hold_no_python() -> None:
    assert [path for folder in ("bpmn", "config") for path in (ROOT / folder).rglob("*.py")] == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "adr"
    listed = re.findall(r"^\| \[\d{4}\]\(([\w.-]+)\) \|", (folder / "README.md").read_text(), re.MULTILINE)

    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))


def test_every_link_between_pages_leads_somewhere() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in files("*.md")
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
        if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists()
    ]

    assert dead == []


def test_every_room_says_whom_it_may_import() -> None:
    said = {room for contract in CONTRACTS if contract["type"] == "room" for room in contract["rooms"]}
    rooms = {
        f"waggle.{path.stem}"
        for path in (ROOT / "waggle").iterdir()
        if (path.is_dir() and any(path.glob("*.py"))) or (path.suffix == ".py" and path.stem != "__init__")
    }

    assert sorted(rooms - said) == []


def test_the_domain_needs_the_standard_library_only() -> None:
    outside = []
    for path in (ROOT / "waggle" / "domain").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            outside += [
                f"{path.relative_to(ROOT)}: {name}"
                for name in names
                if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith("waggle.domain")
            ]

    assert outside == []


def test_make_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split()
    explained = re.findall(r"^([a-z]+):.*## \w", text, re.MULTILINE)

    assert sorted(phony) == sorted(explained)
