"""`waggle exchange`: what goes on with other systems that do not call by themselves."""

from waggle.cli.parts import run_part
from waggle.processes import run_exchange


def exchange() -> None:
    """Ask sources that can be asked, read queues, tell streams; `waggle up` runs it where one of them is set.

    Example: `waggle exchange`
    """
    run_part(run_exchange)
