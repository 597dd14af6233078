"""What goes wrong in a run, and when: drawn from a seed, so that a run that failed can be had again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Fault = Literal["kill", "slow", "reset", "silence", "refuse"]
BROKER = "broker"
DATABASE = "database"
SMTP = "smtp"
LINKS = ("api", "gateway", DATABASE, SMTP)
_LINK_FAULTS: tuple[Fault, ...] = ("slow", "reset", "silence", "refuse")
_DISTURBED_EVERY_S = 12.0
"""On average; of one link."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """One fault, *after_s* the one before it of the same list."""

    after_s: float
    fault: Fault
    part: str
    """For a kill a process, else a link."""
    for_s: float = 0.0
    """How long a disturbed link stays so."""

    def __str__(self) -> str:
        lasting = f" for {self.for_s:.1f} s" if self.for_s else ""
        return f"+{self.after_s:.2f} s {self.fault} {self.part}{lasting}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The kills one after another, and beside them what happens to the links."""

    seed: int
    kills: Sequence[Stroke]
    disturbances: Sequence[Stroke]

    @property
    def lasts_s(self) -> float:
        """Return how long the kills take if none has to wait for its part to be up."""
        return sum(kill.after_s for kill in self.kills)

    def __str__(self) -> str:
        lines = [f"seed {self.seed}", "kills:", *map(str, self.kills), "links:", *map(str, self.disturbances)]
        return "\n".join(lines)


def draw(seed: int, kills: int, broker_kills: int, parts: Sequence[str], *, every_s: float) -> Plan:
    """Return *kills* kills of *parts*, with the broker's strewn in between; the database may be one of the parts.

    Kills follow each other after exponentially distributed pauses of *every_s* on average; none is shorter than 0.2 s,
    so that two kills are two events, and none longer than three times the average.
    """
    drawn = random.Random(seed)  # noqa: S311 -- a plan that can be had again
    victims = [drawn.choice(parts) for _ in range(kills)]
    for _ in range(broker_kills):
        # Not at the very end: the kills after it meet an engine that is just coming back.
        victims.insert(drawn.randrange(max(1, int(0.9 * len(victims)))), BROKER)
    pauses = [min(max(drawn.expovariate(1 / every_s), 0.2), 3 * every_s) for _ in victims]
    strokes = [Stroke(pause, "kill", victim) for pause, victim in zip(pauses, victims, strict=True)]
    links = [link for link in LINKS if link != DATABASE or DATABASE in parts]
    count = int(sum(pauses) / _DISTURBED_EVERY_S)
    return Plan(seed, strokes, [_disturbance(drawn, links) for _ in range(count)])


def _disturbance(drawn: random.Random, links: Sequence[str]) -> Stroke:
    link = drawn.choice(links)
    # A mail server's answer that is cut off puts a mail in doubt without a kill: that has a test of its own.
    fault: Fault = "slow" if link == SMTP else drawn.choice(_LINK_FAULTS)
    after_s = drawn.uniform(0.5, 2 * _DISTURBED_EVERY_S - 0.5)
    return Stroke(after_s, fault, link, for_s=drawn.uniform(0.3, 3.0))
