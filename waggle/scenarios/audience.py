"""Whoever keeps advertising audiences, in a simulation: nothing leaves this machine."""


class RememberedAudience:
    """An AudienceKeeper that only remembers."""

    name = "simulation"

    def __init__(self) -> None:
        self.members: dict[str, set[str]] = {}
        """Audience -> keys under which somebody is in it."""

    async def add(self, audience: str, email: str, *, key: str) -> str:  # noqa: ARG002 -- the port's words
        """Remember that somebody is in; the key stands for them."""
        self.members.setdefault(audience, set()).add(key)
        return key

    async def remove(self, audience: str, member: str, *, key: str) -> None:  # noqa: ARG002 -- the port's words
        """Remember that they are out."""
        self.members.get(audience, set()).discard(member)
