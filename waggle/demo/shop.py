"""The simulated shop, a process of its own that speaks only public HTTP: `python -m waggle.demo.shop`.

It reads one JSON object per line from standard input and answers each with one line:

{"open": {"api", "mailbox", "write_key", "shoppers", "seed", "starts_at", "holdout_percent", "journal"}}
{"until": time}                do everything that is due by then -> {"done", "sent", "next_at"}
{"stragglers": n, "at": time}  let n more shoppers fill a cart and leave -> the same
"""

import asyncio
import heapq
import itertools
import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import httpx

from waggle.demo.basket import order_after_mail
from waggle.demo.door import Door, DoorClosedError
from waggle.demo.journal import JournalFile
from waggle.demo.plots import plan, plan_stragglers
from waggle.demo.post import Postbox
from waggle.demo.scenario import Action, Deed, Mail, Reaction, Scenario, Shopper

_AT_ONCE = 8
# What the oracle needs of an event; nothing that tells of a person.
_JOURNALLED = ("customer_id", "cart_id", "items", "order_id", "total_minor", "coupon_code", "sku", "quantity")


class Deliverer(Protocol):
    """Takes what shop and shoppers do to Waggle (see Door)."""

    async def deliver(self, event: Any) -> str: ...  # noqa: ANN401 -- JSON
    async def click(self, link: str) -> str: ...
    async def unsubscribe(self, link: str) -> str: ...


class Inbox(Protocol):
    """Gives out the mails that came since it was asked last (see Postbox)."""

    async def new_mails(self) -> list[Mail]: ...


class Journal(Protocol):
    """Keeps what was done."""

    def note(self, deed: Deed) -> None: ...


@dataclass(frozen=True, slots=True)
class _Reply:
    """A reaction to one mail that is due."""

    at: datetime
    lane: str
    shopper: Shopper
    reaction: Reaction
    mail: Mail


class Shop:
    """Plays a scenario as far as it is told to."""

    def __init__(self, scenario: Scenario, door: Deliverer, inbox: Inbox, journal: Journal) -> None:
        self._door = door
        self._inbox = inbox
        self._journal = journal
        self._by_email = scenario.by_email()
        self._mails_to: dict[str, int] = defaultdict(int)
        self._ordered: set[str] = set()
        self._numbers = itertools.count()
        self._waiting: list[tuple[datetime, int, Action | _Reply]] = []
        self._schedule(scenario.actions)

    @property
    def next_at(self) -> datetime | None:
        """When there is something to do next, as far as is known."""
        return self._waiting[0][0] if self._waiting else None

    async def play(self, until: datetime) -> int:
        """Do all that is due by *until*, one lane after its own order, and return how much that was.

        Raises:
            DoorClosedError: Waggle does not answer.
        """
        for mail in await self._inbox.new_mails():
            self._react(mail)
        lanes: dict[str, list[Action | _Reply]] = defaultdict(list)
        while self._waiting and self._waiting[0][0] <= until:
            due = heapq.heappop(self._waiting)[2]
            lanes[due.lane].append(due)
        gate = asyncio.Semaphore(_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in lanes.values():
                    tasks.create_task(self._walk(lane, gate))
        except ExceptionGroup as failures:
            # All lanes knock at the same door: one of their complaints says it.
            raise failures.exceptions[0] from None
        return sum(len(lane) for lane in lanes.values())

    async def admit(self, stragglers: Scenario) -> int:
        """Let more shoppers in, who do everything at once."""
        self._schedule(stragglers.actions)
        return await self.play(stragglers.starts_at)

    def _schedule(self, due: Iterable[Action | _Reply]) -> None:
        for one in due:
            heapq.heappush(self._waiting, (one.at, next(self._numbers), one))

    def _react(self, mail: Mail) -> None:
        shopper = self._by_email.get(mail.to)
        if shopper is None:
            return
        self._mails_to[mail.to] += 1
        lane = f"shopper-{shopper.number}"
        self._schedule(
            _Reply(mail.arrived_at + reaction.after, lane, shopper, reaction, mail)
            for reaction in shopper.reactions
            if reaction.to == self._mails_to[mail.to]
        )

    async def _walk(self, lane: list[Action | _Reply], gate: asyncio.Semaphore) -> None:
        async with gate:
            for one in lane:
                if isinstance(one, Action):
                    await self._send(one)
                else:
                    await self._reply(one)

    async def _reply(self, reply: _Reply) -> None:
        match reply.reaction.do:
            case "order":
                event = order_after_mail(reply.shopper, reply.mail, reply.at)
                await self._send(Action(reply.at, reply.lane, event, unless_ordered=True))
            case "click" if reply.mail.cart_url:
                self._followed(reply, await self._door.click(reply.mail.cart_url))
            case "unsubscribe" if reply.mail.unsubscribe_url:
                self._followed(reply, await self._door.unsubscribe(reply.mail.unsubscribe_url))
            case _:
                self._followed(reply, "no link in the mail")

    def _followed(self, reply: _Reply, answer: str) -> None:
        about = {"customer_id": reply.shopper.customer_id}
        self._journal.note(Deed(reply.shopper.number, reply.reaction.do, reply.at, about, "accepted", answer))

    async def _send(self, action: Action) -> None:
        event = action.event
        cart_id = event["data"].get("cart_id") if event["type"] == "order-placed" else None
        if action.unless_ordered and cart_id in self._ordered:
            return
        answer = await self._door.deliver(event)
        if cart_id is not None:
            self._ordered.add(cart_id)
        number = int(action.lane.removeprefix("shopper-")) if action.lane.startswith("shopper-") else 0
        data = {name: event["data"][name] for name in _JOURNALLED if name in event["data"]}
        happened_at = datetime.fromisoformat(event["time"])
        self._journal.note(Deed(number, event["type"], happened_at, data, action.answer, answer))


async def _serve() -> None:
    commands = await _standard_input()
    opened = json.loads(await commands.readline())["open"]
    starts_at = datetime.fromisoformat(opened["starts_at"])
    seed = opened["seed"]
    scenario = plan(opened["shoppers"], seed, starts_at, holdout_percent=opened["holdout_percent"])
    journal = JournalFile.begun(Path(opened["journal"]))
    # trust_env off: a proxy of the surroundings must not come between two processes of one machine.
    async with httpx.AsyncClient(timeout=30.0, trust_env=False) as client:
        door = Door(client, opened["api"], opened["write_key"])
        shop = Shop(scenario, door, Postbox(client, opened["mailbox"]), journal)
        admitted = 0
        _answer(starts_at, 0, shop.next_at)
        while line := await commands.readline():
            command = json.loads(line)
            at = datetime.fromisoformat(command.get("until") or command["at"])
            if "stragglers" in command:
                sent = await shop.admit(plan_stragglers(command["stragglers"], seed, at, after=admitted))
                admitted += command["stragglers"]
            else:
                sent = await shop.play(at)
            _answer(at, sent, shop.next_at)


async def _standard_input() -> asyncio.StreamReader:
    # A thread blocked in readline would outlive Ctrl-C.
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _answer(done: datetime, sent: int, next_at: datetime | None) -> None:
    answer = {"done": done.isoformat(), "sent": sent, "next_at": next_at.isoformat() if next_at else None}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until standard input ends; with a sentence on standard error and code 1 if Waggle stays away."""
    try:
        asyncio.run(_serve())
    except KeyboardInterrupt:
        sys.exit(130)
    except DoorClosedError as closed:
        sys.exit(str(closed))


if __name__ == "__main__":
    main()
