"""What stands in the folders is found, and twice the same is a mistake that names both."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

import workers
from waggle.errors import BadSettings
from waggle.ports.email import EmailSender
from waggle.registry import find_connectors, find_tasks, load

NAMED_BY_THE_ENGINE = {"io.camunda.zeebe:userTask": "ask-person"}
"""Task types that are no names of ours, and what their modules are called."""


def test_every_worker_module_answers_the_task_type_of_its_name() -> None:
    files = {file.stem.replace("_", "-") for file in Path(workers.__path__[0]).glob("[a-z]*.py")}

    assert {NAMED_BY_THE_ENGINE.get(name, name) for name in find_tasks()} == files
    assert list(find_tasks()) == sorted(find_tasks())


def test_every_worker_has_its_test() -> None:
    tests = {
        file.stem.removeprefix("test_").replace("_", "-") for file in Path(__file__).parent.glob("workers/test_*.py")
    }

    assert {NAMED_BY_THE_ENGINE.get(name, name) for name in find_tasks()} <= tests


def test_two_modules_that_answer_one_task_type_are_both_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Path(workers.__path__[0], "read_cart.py").read_text(encoding="utf-8")
    (tmp_path / "read_cart_again.py").write_text(copy, encoding="utf-8")
    monkeypatch.setattr(workers, "__path__", [*workers.__path__, str(tmp_path)])

    try:
        with pytest.raises(BadSettings, match="TASK_TYPE_TWICE") as error:
            find_tasks()
    finally:
        sys.modules.pop("workers.read_cart_again", None)
        vars(workers).pop("read_cart_again", None)

    assert "workers.read_cart and workers.read_cart_again" in error.value.message


def test_connectors_are_found_without_importing_what_they_need() -> None:
    assert find_connectors()["smtp"].provides[EmailSender].startswith("connectors.smtp")


def test_a_class_is_loaded_by_its_address() -> None:
    assert load("types:ModuleType") is ModuleType
