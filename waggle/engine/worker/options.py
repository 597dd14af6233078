"""How a worker process behaves towards the engine."""

from dataclasses import dataclass
from pathlib import Path

from waggle.engine.backoff import Backoff, Spread, spread


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """The same for all task types of one process."""

    name: str = "waggle"
    """What the engine notes as the worker of a job."""
    stream: bool = True
    """Have jobs pushed as they come, besides polling for what was there before or could not be pushed."""
    poll_s: float = 5.0
    """How long the gateway holds a poll open; a drain waits for it, since a cancelled poll can strand a job."""
    queue_wait_s: float = 10.0
    """By how much the lease on a job is longer than the handler may run."""
    drain_s: float = 20.0
    """What still runs this long after the stop is cancelled."""
    rpc_timeout_s: float = 10.0
    retry_first_s: float = 0.05
    retry_cap_s: float = 5.0
    refused_wait_s: float = 30.0
    """Wait after the gateway refused our credentials."""
    tenant_id: str = ""
    """Whose jobs are asked for; empty: the engine has no tenants."""
    attempts_dir: Path | None = None
    """Where the processes of this host note what they have at hand, so that a job that kills them is found."""
    spread: Spread = spread

    def backoff(self) -> Backoff:
        """Return a fresh back-off for one loop of tries."""
        return Backoff(first_s=self.retry_first_s, cap_s=self.retry_cap_s, spread=self.spread)
