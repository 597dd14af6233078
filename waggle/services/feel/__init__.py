"""Read FEEL, the language of conditions, mappings, timers and decision tables, as far as a check needs it.

Nothing is computed: a formula is taken apart into the variables it reads, the functions it calls and the comparisons it
makes, and what is wrong with it is said in words. What the grammar allows and nobody here writes (names with blanks in
them, calls with named arguments) is read as well, so that no right formula is refused.
"""

from waggle.services.feel.formula import Comparison, FeelMistake, Formula
from waggle.services.feel.functions import FUNCTIONS
from waggle.services.feel.parser import read_formula, read_tests

__all__ = ["FUNCTIONS", "Comparison", "FeelMistake", "Formula", "read_formula", "read_tests"]
