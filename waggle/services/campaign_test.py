"""The message of a campaign to the team's own addresses, before anybody is asked to approve it."""

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final

from waggle.domain.campaign import TEST
from waggle.domain.message import MARKETING, Message
from waggle.errors import OutcomeUnknown, PermanentFailure, TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.email import Email, EmailSender
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.campaign_files import CampaignBook, CampaignFile
from waggle.services.composing import Sender
from waggle.services.message_closing import ANSWER_LOST, close, doubt
from waggle.services.rendering import MessageContext, MessageTemplates
from waggle.services.sending import CHANNEL

log = get_logger(__name__)

_LEASE: Final = timedelta(minutes=2)
_RETRY_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Tested:
    """How many of the team's addresses the message was accepted for, and of how many."""

    sent: int
    addresses: int


class CampaignTest:
    """Sends each address one message; a row each, so that a repeated job sends nothing more."""

    def __init__(  # noqa: PLR0913, PLR0917 -- each is one thing that it needs
        self,
        store: UnitOfWork,
        book: CampaignBook,
        templates: MessageTemplates,
        sender: EmailSender,
        shop: Sender,
        clock: Clock,
    ) -> None:
        self._store = store
        self._book = book
        self._templates = templates
        self._sender = sender
        self._shop = shop
        self._clock = clock

    async def send(self, enrolment_id: str) -> Tested:
        """Send what was not yet sent; an address that is refused is no reason not to go on.

        Raises:
            TemporaryFailure: the mail server is away; nothing left to that address.
            PermanentFailure: CAMPAIGN_NOT_REQUESTED, or CAMPAIGN_UNKNOWN.
        """
        campaign = await self._store.read(lambda tx: tx.campaigns.of_enrolment(enrolment_id))
        if campaign is None:
            raise PermanentFailure("CAMPAIGN_NOT_REQUESTED", enrolment_id)
        if campaign.campaign not in self._book.names:
            raise PermanentFailure("CAMPAIGN_UNKNOWN", campaign.campaign)
        file = self._book.get(campaign.campaign)
        states = [await self._send_one(enrolment_id, number, file) for number in range(len(file.test_to))]
        return Tested(states.count("sent"), len(states))

    async def _send_one(self, enrolment_id: str, number: int, file: CampaignFile) -> str:
        message = await self._store.run(partial(self._claim, enrolment_id=enrolment_id, number=number, file=file))
        if message.final:
            return message.state

        async def before_data() -> None:
            await self._store.run(partial(self._hand_over, message_id=message.message_id))

        try:
            answer = await self._sender.send(self._email(message, number, file), before_data=before_data)
        except PermanentFailure as failure:
            log.warning("test message refused", enrolment_id=enrolment_id, code=failure.code)
            return await self._settle(message, "failed", failure.code.lower())
        except OutcomeUnknown:
            return await self._settle(message, "in_doubt", ANSWER_LOST)
        except TemporaryFailure:
            await self._store.run(partial(self._back, message_id=message.message_id))
            raise
        return await self._settle(message, "sent", "ok", answer)

    def _claim(self, tx: Transaction, enrolment_id: str, number: int, file: CampaignFile) -> Message:
        now = self._clock.now()
        step = f"{TEST}{number}"
        message = tx.messages.get(enrolment_id, step)
        if message is None:
            message = Message(
                message_id=str(uuid.uuid4()),
                enrolment_id=enrolment_id,
                step=step,
                customer_id=None,
                cart_id=None,
                channel=CHANNEL,
                purpose=self._templates.declaration(file.template).purpose,
                template=file.template,
                coupon_id=None,
                state="planned",
                reason="",
                planned_at=now,
                not_before_at=now,
                expires_at=now + file.valid_for,
                in_doubt=MARKETING.in_doubt,
            )
        if message.final:
            return message
        if message.lease_until is not None and now < message.lease_until:
            raise TemporaryFailure("SEND_UNDER_WAY", message.message_id, retry_after_s=_RETRY_S)
        if message.state == "handed_over":
            return doubt(tx, message, ANSWER_LOST, now)
        claimed = replace(message, state="claimed", lease_until=now + _LEASE, attempts=message.attempts + 1)
        tx.messages.save(claimed)
        return claimed

    def _hand_over(self, tx: Transaction, message_id: str) -> None:
        now = self._clock.now()
        message = tx.messages.by_id(message_id)
        if message is None or message.state != "claimed":
            raise TemporaryFailure("CLAIM_LOST", message_id)
        provider = self._sender.name
        tx.messages.save(replace(message, state="handed_over", handed_over_at=now, provider=provider))

    def _back(self, tx: Transaction, message_id: str) -> None:
        message = tx.messages.by_id(message_id)
        if message is not None and not message.final:
            tx.messages.save(replace(message, state="planned", lease_until=None, handed_over_at=None))

    async def _settle(self, message: Message, state: str, reason: str, answer: str | None = None) -> str:
        def settle(tx: Transaction) -> str:
            found = tx.messages.by_id(message.message_id)
            if found is None or found.final:
                return state if found is None else found.state
            now = self._clock.now()
            if state == "sent":
                return close(tx, replace(found, provider_answer=answer), "sent", reason, now).state
            return close(tx, found, "failed" if state == "failed" else "in_doubt", reason, now).state

        return await self._store.run(settle)

    def _email(self, message: Message, number: int, file: CampaignFile) -> Email:
        shop = self._shop
        context = MessageContext(
            shop_name=shop.shop_name,
            shop_address=shop.postal_address,
            first_name="Ada",
            items=(),
            total="",
            currency="",
            cart_url=shop.shop_url,
            coupon=None,
            unsubscribe_url=shop.shop_url,
            language="en",
            preferences_url=shop.shop_url,
        )
        rendered = self._templates.render(file.template, context)
        return Email(
            to=file.test_to[number],
            sender=file.sender or self._templates.declaration(file.template).sender or shop.sender,
            subject=f"[Test] {rendered.subject}",
            text=rendered.text,
            html=rendered.html,
            message_id=f"<{message.message_id}@{shop.list_id}>",
            unsubscribe_url=None,
            list_id=shop.list_id,
        )
