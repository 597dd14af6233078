"""The mailbox held against what is right: who got what, when, and how often."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from waggle.demo.oracle.expectation import Expected, Window
from waggle.demo.oracle.rules import Rules
from waggle.demo.scenario import Mail, Scenario, Shopper

# Two mails about one cart within this time are one mail twice; the reminder comes a day later.
_SAME_STEP = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it should be; `cart` is "-" where no single cart is concerned."""

    cart: str
    expected: str
    found: str


@dataclass(slots=True)
class CartMails:
    """The mails about one cart; the second of either list is a duplicate."""

    first: list[Mail] = field(default_factory=list)
    reminders: list[Mail] = field(default_factory=list)

    @property
    def codes(self) -> set[str]:
        """The coupon codes in the first mail."""
        return {code for mail in self.first for code in mail.codes}

    @property
    def duplicates(self) -> int:
        """How many are one too many."""
        return max(0, len(self.first) - 1) + max(0, len(self.reminders) - 1)


def sort_mails(scenario: Scenario, mails: Iterable[Mail]) -> tuple[dict[str, CartMails], list[Mail]]:
    """Return the mails by cart, and those that belong to none: to a stranger, or about things in no cart of theirs."""
    by_email = scenario.by_email()
    by_cart: dict[str, CartMails] = {}
    strays = []
    for mail in sorted(mails, key=lambda mail: mail.arrived_at):
        cart_id = _cart_of(mail, by_email.get(mail.to))
        if cart_id is None:
            strays.append(mail)
            continue
        about = by_cart.setdefault(cart_id, CartMails())
        again = about.first and mail.arrived_at - about.first[0].arrived_at >= _SAME_STEP
        (about.reminders if again else about.first).append(mail)
    return by_cart, strays


def _cart_of(mail: Mail, shopper: Shopper | None) -> str | None:
    """Return the cart by the things the mail speaks of; no two carts of one shopper share any."""
    if shopper is None:
        return None
    spoken_of = [cart.cart_id for cart in shopper.carts if any(item["name"] in mail.text for item in cart.items)]
    return spoken_of[0] if len(spoken_of) == 1 else None


def mail_differences(
    expected: Mapping[str, Expected], by_cart: Mapping[str, CartMails], rules: Rules
) -> Iterator[Difference]:
    """Yield per cart what is missing, too much, at the wrong time or of the wrong content."""
    for cart_id in sorted({*expected, *by_cart}):
        right = expected.get(cart_id) or Expected(cart_id, abandoned=False, reason="never filled")
        about = by_cart.get(cart_id, CartMails())
        yield from _first_mail(right, about)
        yield from _reminder(right, about)
        yield from _content(right, about, rules)


def _first_mail(right: Expected, about: CartMails) -> Iterator[Difference]:
    if right.first is None:
        if about.first:
            yield Difference(
                right.cart_id, f"no mail: {right.reason}", f"a mail at {_clock(about.first[0].arrived_at)}"
            )
        return
    if not about.first:
        yield Difference(right.cart_id, f"a mail until {_clock(right.first.closes_at)}", "none")
        return
    yield from _punctual(right.cart_id, "first mail", right.first, about.first)


def _reminder(right: Expected, about: CartMails) -> Iterator[Difference]:
    if right.reminder is None:
        if about.reminders:
            yield Difference(right.cart_id, "no reminder", f"one at {_clock(about.reminders[0].arrived_at)}")
        return
    if not about.reminders:
        yield Difference(right.cart_id, f"a reminder until {_clock(right.reminder.closes_at)}", "none")
        return
    yield from _punctual(right.cart_id, "reminder", right.reminder, about.reminders)


def _punctual(cart_id: str, what: str, window: Window, mails: Sequence[Mail]) -> Iterator[Difference]:
    arrived_at = mails[0].arrived_at
    if not window.opens_at <= arrived_at <= window.closes_at:
        right = f"{what} between {_clock(window.opens_at)} and {_clock(window.closes_at)}"
        yield Difference(cart_id, right, _clock(arrived_at))
    if len(mails) > 1:
        yield Difference(cart_id, f"one {what}", f"{len(mails)}")


def _content(right: Expected, about: CartMails, rules: Rules) -> Iterator[Difference]:
    for mail in (*about.first[:1], *about.reminders[:1]):
        missing = [name for name in right.item_names if name not in mail.text]
        if missing:
            yield Difference(
                right.cart_id, "a mail that names every item of the cart", f"missing: {', '.join(missing)}"
            )
    promised = about.codes
    if promised and right.campaign is None:
        yield Difference(right.cart_id, "no coupon", "a coupon in the mail")
    if len(promised) > 1:
        yield Difference(right.cart_id, "one coupon", f"{len(promised)} codes")
    if promised and right.campaign is not None:
        offer = f"{rules.campaigns[right.campaign].percent}%"
        if not re.search(rf"(?<!\d){offer}", about.first[0].text):
            yield Difference(right.cart_id, f"a coupon of {offer}", "another one")
    if any(code not in promised for mail in about.reminders for code in mail.codes):
        yield Difference(right.cart_id, "no second coupon", "a new code in the reminder")


def _clock(moment: datetime) -> str:
    return moment.strftime("%a %H:%M:%S")
