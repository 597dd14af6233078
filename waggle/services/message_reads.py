"""Read at once what the checks will ask of each of many messages: some statements for all instead of a dozen each."""

from collections.abc import Collection, Sequence
from datetime import datetime

from waggle.domain.message import Message
from waggle.ports.unit_of_work import Transaction
from waggle.services.held_erasures import EVERY_CHANNEL


def prepare_claims(tx: Transaction, steps: Sequence[tuple[str, str]], left_since: datetime) -> None:
    """Read what the claims of *steps*, (enrolment_id, step), depend on; nothing that is found may differ for that.

    *left_since* is no later than the time from which any of them counts the messages that left.
    """
    tx.enrolments.prepare({enrolment_id for enrolment_id, _ in steps})
    messages = tx.messages.prepare_steps(steps)
    persons = _prepare_checks(tx, messages, left_since)
    tx.loyalty.prepare(persons)


def prepare_hand_overs(tx: Transaction, message_ids: Sequence[str], left_since: datetime) -> None:
    """Do the same for hand-overs of messages that are claimed."""
    messages = tx.messages.prepare(message_ids)
    tx.enrolments.prepare({message.enrolment_id for message in messages})
    _prepare_checks(tx, messages, left_since)


def _prepare_checks(tx: Transaction, messages: Collection[Message], left_since: datetime) -> set[str]:
    """Return the ids of the persons concerned."""
    named = {message.customer_id for message in messages}
    persons = {each for each in named if each is not None}
    if not persons:
        return persons
    tx.customers.prepare(persons)
    subjects = {each for person in persons for each in tx.identities.all_of(person)}
    for message in messages:
        subjects.update(each for each in (message.cart_id, message.order_id, message.sku) if each is not None)
    tx.events.prepare_pending(subjects)
    tx.consents.prepare(persons)
    tx.restrictions.prepare(persons)
    tx.messages.prepare_left(persons, left_since)
    found = [tx.customers.get(person) for person in persons]
    addresses = {customer.email for customer in found if customer is not None and customer.email is not None}
    for channel in {message.channel for message in messages}:
        tx.suppressions.prepare(persons, addresses, channel)
    tx.suppressions.prepare(persons, (), EVERY_CHANNEL)
    return persons
