"""The settings of a chaos run: a copy of the shipped ones in which days pass in seconds."""

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from waggle.resources import shipped
from waggle.testing.chaos.checker import Budget

# Leases are short, so that the job of a killed worker comes again soon; the mail server is given less time than a task.
# A process hands over as many mails at a time as it has connections: with one, a death puts one mail in doubt at most.
_TOML = """\
[api]
port = {api_port}
public_url = "http://127.0.0.1:{api_port}"

[engine]
address = "127.0.0.1:{gateway_port}"

[mailbox]
enabled = false

[smtp]
host = "127.0.0.1"
port = {smtp_port}
timeout_s = 4.0
connections = 1

[policy]
quiet_from = "00:00:00"
quiet_until = "00:00:00"
cap_messages = 1000

[worker]
queue_wait_s = 2.0
drain_s = 3.0
{tasks}
[log]
form = "json"
"""
_TASK = """
[worker.tasks."{name}"]
timeout_s = {timeout_s}
"""
_SEND_TIMEOUT_S = 10.0
_TIMEOUT_S = 6.0
_JOURNEY = """\
[settings]
cart_idle = "PT2S"
reply_window = "PT3S"
order_window = "PT2S"

[entry]
# A cart enters once: whoever enters again after a mail was let in by mistake.
cool_down = "P7D"
holdout_percent = 0

[exits]
order_ends_other_carts = true
"""
_CAMPAIGN = """\
[{name}]
percent = {percent}
valid_for = "P7D"
currency = "EUR"
max_discount_minor = 2500
budget_count = {budget.count}
budget_minor = {budget.cost_minor}
"""
_PERCENT = {"cart-5": 5, "cart-10": 10, "cart-15": 15}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts meet; links lead through proxies."""

    api: int
    """The API's own, without a proxy."""
    gateway: int
    smtp: int


def write_settings(folder: Path, ports: Ports, budgets: Mapping[str, Budget], tasks: Iterable[str]) -> None:
    """Fill *folder* with everything that Waggle reads as its configuration."""
    shutil.copytree(shipped("config"), folder, dirs_exist_ok=True)
    limits = "".join(
        _TASK.format(name=name, timeout_s=_SEND_TIMEOUT_S if name.startswith("send-") else _TIMEOUT_S) for name in tasks
    )
    written = _TOML.format(api_port=ports.api, gateway_port=ports.gateway, smtp_port=ports.smtp, tasks=limits)
    (folder / "waggle.toml").write_text(written, encoding="utf-8")
    (folder / "journeys" / "abandoned-cart.toml").write_text(_JOURNEY, encoding="utf-8")
    campaigns = [
        _CAMPAIGN.format(name=name, percent=percent, budget=budgets[name]) for name, percent in _PERCENT.items()
    ]
    sections = re.split(r"^(?=\[)", (folder / "coupons.toml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    # Those of other journeys stay, since their diagrams name them.
    others = [section for section in sections if section.partition("]")[0].removeprefix("[") not in _PERCENT]
    (folder / "coupons.toml").write_text("\n".join([*others, *campaigns]), encoding="utf-8")
