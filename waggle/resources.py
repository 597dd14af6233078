"""Find the data folders: beside the code in a checkout, inside the package in a wheel."""

from pathlib import Path
from typing import Literal

_HERE = Path(__file__).parent


def shipped(folder: Literal["bpmn", "config"]) -> Path:
    """Return where the diagrams or the default settings lie.

    Raises:
        FileNotFoundError: the installation is not whole.
    """
    for base in (_HERE / "_shipped", _HERE.parent):
        if (base / folder).is_dir():
            return base / folder
    raise FileNotFoundError(folder)
