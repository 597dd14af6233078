"""Everything that is not as it should be."""

from collections.abc import Iterable, Iterator, Sequence

from waggle.demo.oracle.books import book_differences
from waggle.demo.oracle.expectation import expect
from waggle.demo.oracle.mails import Difference, mail_differences, sort_mails
from waggle.demo.oracle.rules import Rules
from waggle.demo.scenario import Deed, Facts, Mail, Scenario


def compare(
    scenario: Scenario, deeds: Sequence[Deed], mails: Sequence[Mail], facts: Facts, rules: Rules
) -> list[Difference]:
    """Return everything in the mailbox and in the database that is not as it should be; empty is right."""
    by_cart, strays = sort_mails(scenario, mails)
    first_mails = {cart_id: about.first[0].arrived_at for cart_id, about in by_cart.items() if about.first}
    expected = expect(scenario, deeds, first_mails, rules)
    return [
        *(Difference("-", "no mail to a stranger or about no cart", mail.message_id) for mail in strays),
        *_answers(deeds),
        *mail_differences(expected, by_cart, rules),
        *book_differences(expected, by_cart, facts, rules),
        *_totals(deeds, len(mails), facts),
    ]


def _answers(deeds: Iterable[Deed]) -> Iterator[Difference]:
    for deed in deeds:
        if deed.answer != deed.expected:
            cart = str(deed.data.get("cart_id", "-"))
            yield Difference(cart, f"{deed.what} {deed.expected}", deed.answer)


def _totals(deeds: Iterable[Deed], arrived: int, facts: Facts) -> Iterator[Difference]:
    """Yield what does not add up between shop, mailbox and database as wholes."""
    placed = {
        deed.data["order_id"]
        for deed in deeds
        if deed.what == "order-placed" and deed.expected == deed.answer == "accepted"
    }
    known = {order["order_id"] for order in facts.orders}
    for order_id in sorted(placed ^ known):
        yield Difference("-", f"{order_id} in the shop and in the database", "in one of them only")
    for enrolment in facts.enrolments:
        if enrolment["state"] != "ended":
            yield Difference(enrolment["cart_id"] or "-", "a journey that has ended", enrolment["state"])
    for message in facts.messages:
        if message["state"] not in ("sent", "suppressed", "failed"):
            yield Difference("-", f"a settled {message['step']} of {message['enrolment_id']}", message["state"])
    left = sum(1 for message in facts.messages if message["state"] == "sent")
    if left != arrived:
        yield Difference("-", f"{left} mails, as the database says", f"{arrived} in the mailbox")
    if facts.incidents:
        yield Difference("-", "no incident", str(facts.incidents))
