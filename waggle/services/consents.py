"""What customers agreed to: facts go in by events alone, and are asked for wherever somebody's data is used."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

from waggle.domain.consent import (
    OPT_OUT_PURPOSES,
    SALE_SHARE,
    ConsentFact,
    ConsentState,
    Restriction,
    is_given,
    is_refused,
    is_restricted,
)
from waggle.domain.event import (
    ConsentGiven,
    ConsentLapsed,
    ConsentRequested,
    ConsentWithdrawn,
    CustomerRestricted,
    CustomerUnrestricted,
    Event,
)
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.held_erasures import erasure_waits

ConsentStatement = (
    ConsentGiven | ConsentRequested | ConsentWithdrawn | ConsentLapsed | CustomerRestricted | CustomerUnrestricted
)

GPC = "gpc"
"""Mechanism: the browser said it for all sites (Global Privacy Control); never a yes that is taken back, but a no."""

DEFAULT_LANGUAGE = "en"


def apply(tx: Transaction, fact: ConsentStatement, event: Event) -> None:
    """Add what *event* states; the same event adds it once."""
    match fact:
        case CustomerRestricted() | CustomerUnrestricted():
            restricted = isinstance(fact, CustomerRestricted)
            tx.restrictions.add(
                Restriction(
                    customer_id=fact.customer_id,
                    restricted=restricted,
                    stated_at=event.time,
                    source=event.source,
                    event_id=event.id,
                )
            )
        case ConsentLapsed():
            tx.consents.drop_requested(fact.customer_id, fact.purpose, fact.channel, event.time)
            _state(tx, fact, event, "lapsed")
        case ConsentGiven():
            _add(tx, fact, event, "granted", legal_basis=fact.legal_basis, valid_until=fact.valid_until)
        case ConsentRequested():
            if not _has_lapsed(tx, fact, event):
                _add(tx, fact, event, "requested")
        case ConsentWithdrawn():
            _state(tx, fact, event, "denied" if fact.mechanism == GPC else "withdrawn", fact.mechanism)


def _state(
    tx: Transaction,
    fact: ConsentWithdrawn | ConsentLapsed,
    event: Event,
    state: ConsentState,
    mechanism: str | None = None,
) -> None:
    tx.consents.add(
        ConsentFact(
            customer_id=fact.customer_id,
            purpose=fact.purpose,
            channel=fact.channel,
            state=state,
            stated_at=event.time,
            mechanism=mechanism,
            source=event.source,
            event_id=event.id,
        )
    )


def _has_lapsed(tx: Transaction, fact: ConsentRequested, event: Event) -> bool:
    """Say whether a request that comes late is one that was given up already."""
    known = tx.consents.facts(fact.customer_id, fact.purpose, fact.channel)
    return any(each.state == "lapsed" and each.stated_at >= event.time for each in known)


def _address(tx: Transaction, fact: ConsentGiven | ConsentRequested, event: Event) -> str | None:
    """Return where it was said from, unless its person was forgotten since: then that goes, in the event, too."""
    if fact.ip is None:
        return None
    customer = tx.customers.profile(fact.customer_id)
    if customer is None or customer.erased_at is None or event.time > customer.erased_at:
        return fact.ip
    tx.events.forget(fact.customer_id, customer.erased_at)
    return None


def _add(  # noqa: PLR0913 -- what the two kinds of agreeing do not share
    tx: Transaction,
    fact: ConsentGiven | ConsentRequested,
    event: Event,
    state: ConsentState,
    *,
    legal_basis: str = "consent",
    valid_until: datetime | None = None,
) -> None:
    tx.consents.add(
        ConsentFact(
            customer_id=fact.customer_id,
            purpose=fact.purpose,
            channel=fact.channel,
            state=state,
            stated_at=event.time,
            legal_basis=legal_basis,
            text_version=fact.text_version,
            mechanism=fact.mechanism,
            source=event.source,
            event_id=event.id,
            proof_url=_page(fact.proof_url),
            ip=_address(tx, fact, event),
            valid_until=valid_until,
        )
    )


def version_and_language(text_version: str) -> tuple[str, str]:
    """Return of `newsletter-1.pl` the version and the language; without one it is English."""
    version, _, language = text_version.rpartition(".")
    return (version, language) if version and language.isalpha() else (text_version, DEFAULT_LANGUAGE)


def _page(url: str | None) -> str | None:
    """Return *url* without what may tell of a person: query, fragment and user."""
    if url is None:
        return None
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def has_consent(tx: Transaction, customer_id: str, purpose: str, channel: str, now: datetime) -> bool:
    """Say whether the person agrees at this moment; what was said before they were last forgotten does not count."""
    return is_given(_since_forgotten(tx, customer_id, tx.consents.facts(customer_id, purpose, channel)), now)


def objects(tx: Transaction, customer_id: str, purpose: str) -> bool:
    """Say whether the person has said no to *purpose*, on whatever channel: for purposes that need no consent."""
    return is_refused(_since_forgotten(tx, customer_id, tx.consents.of_purpose(customer_id, purpose)))


def restricted(tx: Transaction, customer_id: str) -> bool:
    """Say whether nothing may be done with what is known of the person (GDPR Art. 18).

    Either they asked for that, or to be forgotten, for which a legal hold lets them wait.
    """
    return is_restricted(tx.restrictions.of(customer_id)) or erasure_waits(tx, customer_id)


def address_suppression(tx: Transaction, address: str, channel: str, facts: list[ConsentFact]) -> str | None:
    """Return why an address of which only the hash is left must not be written to: its person was erased.

    They lift it themselves by agreeing anew; a list that is imported again does not.
    """
    kept = tx.suppressions.of_address(address, channel)
    if kept is None:
        return None
    reason, since = kept
    anew = any(fact.given and fact.stated_at > since and fact.mechanism != "import" for fact in facts)
    return None if anew else reason


def may_transfer(tx: Transaction, customer_id: str, purpose: str, now: datetime) -> bool:
    """Say whether data of the person may go to somebody outside for *purpose*: asked before every such transfer.

    Not if they are erased or restricted, or said no to sale and sharing (a browser's Global Privacy Control is such a
    no). A purpose that is no opt-out purpose needs their consent on some channel besides.
    """
    customer = tx.customers.get(customer_id)
    if customer is None or customer.erased or restricted(tx, customer_id):
        return False
    if objects(tx, customer_id, SALE_SHARE) or objects(tx, customer_id, purpose):
        return False
    if purpose in OPT_OUT_PURPOSES:
        return True
    facts = _since_forgotten(tx, customer_id, tx.consents.of_customer(customer_id))
    channels = {fact.channel for fact in facts if fact.purpose == purpose}
    return any(
        is_given([fact for fact in facts if (fact.purpose, fact.channel) == (purpose, channel)], now)
        for channel in channels
    )


def _since_forgotten(tx: Transaction, customer_id: str, facts: list[ConsentFact]) -> list[ConsentFact]:
    if not facts:
        return facts
    customer = tx.customers.get(customer_id)
    forgotten_at = customer.erased_at if customer is not None else None
    return [fact for fact in facts if forgotten_at is None or fact.stated_at > forgotten_at]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one purpose and channel stand."""

    purpose: str
    channel: str
    state: str
    """granted, denied, withdrawn, requested, or expired."""
    since: datetime
    mechanism: str | None
    text_version: str | None
    legal_basis: str


@dataclass(frozen=True, slots=True)
class Link:
    """One fact in the chain that proves a consent; `text` is the wording itself."""

    state: str
    stated_at: datetime
    legal_basis: str
    mechanism: str | None
    source: str | None
    event_id: str | None
    proof_url: str | None
    ip: str | None
    valid_until: datetime | None
    text_version: str | None
    text_sha256: str | None
    text: str | None


class Consents:
    """Shows what somebody agreed to, and proves it."""

    def __init__(self, store: UnitOfWork) -> None:
        self._store = store

    async def of(self, customer_ref: str, now: datetime) -> list[Standing]:
        """Return how each purpose and channel of the customer stands."""
        return await self._store.read(lambda tx: standings(tx, customer_ref, now))

    async def proof(self, customer_ref: str, purpose: str, channel: str) -> list[Link]:
        """Return every fact on this purpose and channel, the oldest first, each with the wording it speaks of."""

        def prove(tx: Transaction) -> list[Link]:
            facts = sorted(tx.consents.facts(customer_ref, purpose, channel), key=lambda fact: fact.stated_at)
            return [_link(tx, fact) for fact in facts]

        return await self._store.read(prove)


def standings(tx: Transaction, customer_id: str, now: datetime) -> list[Standing]:
    """Return how each purpose and channel of the customer stands, by name."""
    by_key: dict[tuple[str, str], list[ConsentFact]] = {}
    for fact in tx.consents.of_customer(customer_id):
        if fact.state == "lapsed":
            continue
        by_key.setdefault((fact.purpose, fact.channel), []).append(fact)
    return [_standing(facts, now) for _, facts in sorted(by_key.items())]


def _standing(facts: list[ConsentFact], now: datetime) -> Standing:
    decided = [fact for fact in facts if fact.state != "requested"] or facts
    newest = max(decided, key=lambda fact: (fact.stated_at, not fact.given))
    over = newest.given and newest.valid_until is not None and now >= newest.valid_until
    return Standing(
        purpose=newest.purpose,
        channel=newest.channel,
        state="expired" if over else newest.state,
        since=newest.stated_at,
        mechanism=newest.mechanism,
        text_version=newest.text_version,
        legal_basis=newest.legal_basis,
    )


def _link(tx: Transaction, fact: ConsentFact) -> Link:
    text, sha256 = None, None
    if fact.text_version is not None:
        version, language = version_and_language(fact.text_version)
        text, sha256 = tx.consent_texts.text(version, language), tx.consent_texts.sha256s(version).get(language)
    return Link(
        state=fact.state,
        stated_at=fact.stated_at,
        legal_basis=fact.legal_basis,
        mechanism=fact.mechanism,
        source=fact.source,
        event_id=fact.event_id,
        proof_url=fact.proof_url,
        ip=fact.ip,
        valid_until=fact.valid_until,
        text_version=fact.text_version,
        text_sha256=sha256,
        text=text,
    )
