"""A mail server for development: takes every mail for everybody, delivers none, and shows what arrived."""

from waggle.mailbox.arrivals import Arrival, Mailbox, read_arrivals
from waggle.mailbox.run import Doors, open_mailbox, run_mailbox

__all__ = ["Arrival", "Doors", "Mailbox", "open_mailbox", "read_arrivals", "run_mailbox"]
