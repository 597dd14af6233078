"""A task type and a connector: Python, so a checkout is needed."""

from pathlib import Path
from typing import Final

from waggle.errors import BadSettings
from waggle.scaffolding.scaffold import Scaffold, camel, checked, filled, sentence

_IRREGULAR: Final = {
    "send": "sent",
    "read": "read",
    "write": "written",
    "give": "given",
    "choose": "chosen",
    "find": "found",
    "tell": "told",
    "put": "put",
    "set": "set",
    "begin": "begun",
    "make": "made",
    "get": "got",
    "take": "taken",
    "hold": "held",
    "pay": "paid",
}


def new_task(name: str, root: Path) -> Scaffold:
    """Return a worker for the task type *name* and its test.

    Raises:
        BadSettings: NAME_WRONG, or NO_CHECKOUT.
    """
    verb, _, thing = checked(name, "task").partition("-")
    if not thing:
        raise BadSettings("NAME_WRONG", "a task is called by what it does to what, such as grant-points")
    done = f"{thing}-{_participle(verb)}"
    function = name.replace("-", "_")
    words = {
        "task-name": name,
        "task_function": function,
        "TaskInput": camel(name),
        "TaskOutput": camel(done),
        "task_result": done.replace("-", "_"),
    }
    return Scaffold(
        new={
            _in(root, "workers") / f"{function}.py": filled("task/worker.py.txt", words),
            root / f"tests/workers/test_{function}.py": filled("task/test_worker.py.txt", words),
        },
        next_steps=(
            "say what it reads, returns and does: docs/howto-new-task.md",
            f"pytest tests/workers/test_{function}.py",
            "name it at one of the worker services in docker-compose.yml",
            "waggle templates     so that Modeler offers it",
        ),
    )


def new_connector(name: str, root: Path) -> Scaffold:
    """Return a connector that sends e-mail, to be changed into what the vendor does.

    Raises:
        BadSettings: NAME_WRONG, or NO_CHECKOUT.
    """
    package = checked(name, "connector").replace("-", "_")
    words = {
        "vendor_name": package,
        "vendor-name": name,
        "VENDOR_NAME": package.upper(),
        "VendorTitle": sentence(name).title(),
        "VendorClass": camel(name),
    }
    files = {
        f"connectors/{package}/__init__.py": "__init__.py",
        f"connectors/{package}/client.py": "client.py",
        f"connectors/{package}/README.md": "README.md",
        f"tests/connectors/{package}/test_client.py": "test_client.py",
    }
    _in(root, "connectors")
    return Scaffold(
        new={root / path: filled(f"connector/{file}.txt", words) for path, file in files.items()},
        next_steps=(
            f"say what the vendor's interface is: connectors/{package}/client.py; docs/howto-new-connector.md",
            f"pytest tests/connectors/{package}",
            f"set [{package}] in config/waggle.toml; waggle doctor",
        ),
    )


def _in(root: Path, package: str) -> Path:
    if not (root / package / "__init__.py").is_file():
        raise BadSettings("NO_CHECKOUT", f"{root} has no folder {package}: go to a checkout of Waggle")
    return root / package


def _participle(verb: str) -> str:
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb.endswith("e"):
        return f"{verb}d"
    return f"{verb[:-1]}ied" if verb.endswith("y") and verb[-2:-1] not in "aeiou" else f"{verb}ed"
