"""What changed between two versions of journeys, decisions, catalogue and settings, in words and as a picture."""

from waggle.comparing.difference import Difference, FileComparison
from waggle.comparing.files import compare_files
from waggle.comparing.page import is_diagram, page, picture
from waggle.comparing.sides import Side, about, of_folders, of_git, of_path

__all__ = [
    "Difference",
    "FileComparison",
    "Side",
    "about",
    "compare_files",
    "is_diagram",
    "of_folders",
    "of_git",
    "of_path",
    "page",
    "picture",
]
