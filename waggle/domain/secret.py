"""A value that nobody may read by accident."""


class Secret:
    """Prints as ***; `reveal` is called only where the value is used."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def revealed(*secrets: Secret | None) -> list[str]:
    """Return the values of those that are set."""
    return [each.reveal() for each in secrets if each is not None and each.reveal()]
