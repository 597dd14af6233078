"""What is known of a formula once it has been read."""

from dataclasses import dataclass

Literal = str | float | bool | None


class FeelMistake(Exception):
    """The formula cannot be read; `problem` says why and `mend` what to write."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(f"{problem}: {mend}")
        self.problem = problem
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variable compared with something written out."""

    path: str
    """Dotted, as in `offer.coupon_campaign`."""
    operator: str
    value: Literal


@dataclass(frozen=True, slots=True)
class Formula:
    """One expression, or one cell of a decision table."""

    reads: frozenset[str]
    """Dotted paths of the variables; the name before the first dot is the variable's."""
    calls: tuple[tuple[str, int], ...]
    """(function, number of arguments)"""
    comparisons: tuple[Comparison, ...]
    differences: tuple[tuple[str, str], ...]
    """(left, right) where a minus without blanks stands between two names: rather one name with a dash in it."""
    unsure: tuple[str, ...]
    """Parts that need not be true or false where one of both is needed: bare variables under `and`, `or`, or alone."""
    is_true_or_false: bool
    """Whether the whole surely is true or false (never null) for variables that are there."""
    path: str | None
    """The variable, if the formula is nothing else."""
    is_literal: bool
    value: Literal
    """What is written out, if the formula is nothing else."""

    @property
    def variables(self) -> frozenset[str]:
        """Names of the variables it reads."""
        return frozenset(path.partition(".")[0] for path in self.reads)
