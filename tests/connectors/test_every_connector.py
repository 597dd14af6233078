"""What holds for every connector, whoever wrote it."""

import dataclasses
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import connectors
from waggle.connector import Connector
from waggle.domain.secret import Secret
from waggle.registry import find_connectors, load

HERE = Path(__file__).parent
SECRETIVE = ("password", "token", "secret", "api_key")


@pytest.fixture(params=find_connectors().values(), ids=lambda connector: connector.name)
def connector(request: pytest.FixtureRequest) -> Connector:
    found: Connector = request.param
    return found


def test_there_are_connectors() -> None:
    assert "smtp" in find_connectors()


def test_its_folder_bears_its_name(connector: Connector) -> None:
    assert connector.name in {module.name for module in pkgutil.iter_modules(connectors.__path__)}


def test_it_says_where_its_protocol_is_described(connector: Connector) -> None:
    assert connector.title
    assert connector.docs.startswith("https://")


def test_its_settings_are_frozen(connector: Connector) -> None:
    assert dataclasses.is_dataclass(connector.settings)
    assert connector.settings.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_what_is_secret_in_its_settings_cannot_be_printed(connector: Connector) -> None:
    for name, kind in get_type_hints(connector.settings).items():
        if any(word in name for word in SECRETIVE):
            assert Secret in (kind, *get_args(kind)), name


def test_it_has_tests(connector: Connector) -> None:
    assert list((HERE / connector.name).glob("test_*.py"))


def test_it_provides_what_it_says(connector: Connector) -> None:
    assert connector.provides
    for port, where in connector.provides.items():
        abilities = {name for name in vars(port) if not name.startswith("_")}
        assert abilities <= set(dir(load(where)))


def test_listing_connectors_imports_no_vendor_library() -> None:
    program = "import sys, waggle.registry as r; r.find_connectors(); sys.exit('aiosmtplib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
