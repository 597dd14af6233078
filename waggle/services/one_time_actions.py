"""What links in mails do once: confirm a subscription, an address or an erasure, answer a question, hand out a copy."""

from dataclasses import dataclass, replace
from functools import partial

from waggle.domain.privacy import LinkKind, OneTimeLink
from waggle.errors import Rejected
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.consent_texts import ConsentTextBook
from waggle.services.consents import version_and_language
from waggle.services.own_facts import tell
from waggle.services.personal_links import token_hash, usable
from waggle.services.preferences import masked
from waggle.services.privacy_answers import subscription_of
from waggle.services.privacy_requests import confirm

MECHANISM = "double_opt_in"
STAY_MECHANISM = "web_form"
MARKETING, EMAIL = "marketing", "email"
HIGHEST_SCORE = 10
_OF_THE_ADDRESS = frozenset({"confirm-subscription", "keep-subscription", "confirm-erasure", "download"})
"""Kinds that do nothing any more once their customer has another address than the mail went to."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a link would do."""

    kind: LinkKind
    shop_name: str
    masked_email: str
    wording: str
    """What a subscription agrees to, as it was asked; else empty."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a link did."""

    kind: LinkKind
    shop_name: str
    archive: bytes | None = None
    """The copy, for a download."""


class OneTimeActions:
    """Asks first, since programs that check mails follow every link; then does it, once."""

    def __init__(
        self, store: UnitOfWork, clock: Clock, *, shop_name: str, texts: ConsentTextBook, public_url: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._shop_name = shop_name
        self._texts = texts
        self._public_url = public_url

    async def describe(self, token: str) -> Question | None:
        """Return what the link would do, having done nothing; None: it does nothing, any more or ever."""

        def look(tx: Transaction) -> Question | None:
            link = self._good(tx, token)
            if link is None:
                return None
            wording = ""
            if (version := _agreed_version(tx, link)) is not None:
                wording = self._texts.text(*version_and_language(version)) or ""
            return Question(link.kind, self._shop_name, masked(link.payload or ""), wording)

        return await self._store.read(look)

    async def perform(self, token: str, answer: int | None = None) -> Done | None:
        """Do it, durably; None: it does nothing, any more or ever. *answer* is the score that a survey asks for.

        Raises:
            Rejected: ANSWER_MISSING, a survey was answered with no score from 0 to 10; the link stays good.
        """
        return await self._store.run(partial(self._perform, token=token, answer=answer))

    def _perform(self, tx: Transaction, token: str, answer: int | None) -> Done | None:
        link = self._good(tx, token)
        if link is None:
            return None
        now = self._clock.now()
        archive = None
        match link.kind:
            case "confirm-subscription":
                self._subscribe(tx, link)
            case "keep-subscription":
                self._stay(tx, link)
            case "answer-survey":
                self._answer(tx, link, answer)
            case "confirm-erasure" | "change-email":
                confirm(tx, link.subject, now)
            case "download":
                export = tx.exports.get(link.subject)
                if export is None or export.archive is None or now >= export.expires_at:
                    return None
                archive = export.archive
                tx.exports.save(replace(export, archive=None, fetched_at=now))
            case "preferences":
                return None
        tx.one_time_links.mark_used(token_hash(token), now)
        return Done(link.kind, self._shop_name, archive)

    def _good(self, tx: Transaction, token: str) -> OneTimeLink | None:
        """Return the link if it still does what it stands for, for whom it was made."""
        link = usable(tx, token, self._clock.now())
        if link is None:
            return None
        customer = tx.customers.get(link.customer_id)
        if customer is None or customer.erased:
            return None
        if link.kind in _OF_THE_ADDRESS and link.payload != customer.email:
            return None
        if link.kind == "confirm-subscription" and not _is_asked(tx, link):
            return None
        if link.kind in {"confirm-erasure", "change-email"}:
            request = tx.privacy_requests.get(link.subject)
            return link if request is not None and request.state == "unconfirmed" else None
        return link

    def _subscribe(self, tx: Transaction, link: OneTimeLink) -> None:
        customer_id, purpose, channel = subscription_of(link.subject)
        data = {
            "customer_id": customer_id,
            "purpose": purpose,
            "channel": channel,
            "text_version": _asked_version(tx, link),
            "mechanism": MECHANISM,
            "proof_url": f"{self._public_url}/o",
        }
        tell(tx, "consent-given", f"{link.token_sha256[:32]}:confirmed", data, self._clock.now())

    def _stay(self, tx: Transaction, link: OneTimeLink) -> None:
        data = {
            "customer_id": link.customer_id,
            "purpose": MARKETING,
            "channel": EMAIL,
            "text_version": _agreed_version(tx, link),
            "mechanism": STAY_MECHANISM,
            "proof_url": f"{self._public_url}/o",
        }
        tell(tx, "consent-given", f"{link.token_sha256[:32]}:kept", data, self._clock.now())

    def _answer(self, tx: Transaction, link: OneTimeLink, score: int | None) -> None:
        if score is None or not 0 <= score <= HIGHEST_SCORE:
            raise Rejected("ANSWER_MISSING", "choose a number from 0 to 10")
        data = {"customer_id": link.customer_id, "order_id": link.subject, "score": score}
        tell(tx, "survey-answered", f"{link.token_sha256[:32]}:answered", data, self._clock.now())


def _agreed_version(tx: Transaction, link: OneTimeLink) -> str | None:
    """Return which wording a link agrees to: as it was asked, or as it was agreed to before."""
    if link.kind == "confirm-subscription":
        return _asked_version(tx, link)
    if link.kind != "keep-subscription":
        return None
    given = [fact for fact in tx.consents.facts(link.customer_id, MARKETING, EMAIL) if fact.given]
    return max(given, key=lambda fact: fact.stated_at).text_version if given else None


def _asked_version(tx: Transaction, link: OneTimeLink) -> str | None:
    """Return which wording the person was asked to agree to, last."""
    asked = [fact for fact in tx.consents.facts(*subscription_of(link.subject)) if fact.state == "requested"]
    return max(asked, key=lambda fact: fact.stated_at).text_version if asked else None


def _is_asked(tx: Transaction, link: OneTimeLink) -> bool:
    return any(fact.state == "requested" for fact in tx.consents.facts(*subscription_of(link.subject)))
