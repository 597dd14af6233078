"""Something that a journey does in the outside world, beyond messages and coupons: a ticket, a place in an audience."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

EffectState = Literal["planned", "claimed", "handed_over", "done", "failed", "in_doubt"]
FINAL: frozenset[EffectState] = frozenset({"done", "failed", "in_doubt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The one row of one effect; (enrolment_id, step) names it for ever.

    planned -> claimed(token, lease_until) -> handed_over -> done. A refusal leads to failed(reason), a temporary one or
    a lease that is over in `claimed` back to planned; from `handed_over` without a known answer to in_doubt.
    """

    effect_id: str
    """Goes to the outside system as the key by which it knows a repeat."""
    enrolment_id: str
    step: str
    kind: str
    """Its task type, such as `open-ticket`."""
    customer_id: str | None
    state: EffectState
    reason: str
    planned_at: datetime
    result: str | None = None
    """What the outside system calls it: an opaque id."""
    token: str | None = None
    lease_until: datetime | None = None
    attempts: int = 0
    handed_over_at: datetime | None = None
    settled_at: datetime | None = None

    @property
    def final(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.state in FINAL
