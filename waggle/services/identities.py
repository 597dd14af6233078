"""Keep who is one person: what customers claim as theirs, what was said on pairs of them, and what follows from it."""

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Literal

from waggle.domain.customer import Customer
from waggle.domain.event import CustomerErased, CustomersMerged, CustomersSplit, Event, Fact
from waggle.domain.identity import MOST_CLAIMANTS, Claim, ClaimKind, MergeWord, persons
from waggle.domain.telling import Telling, Told
from waggle.ports.unit_of_work import Transaction
from waggle.services.keys import OWN_SOURCE
from waggle.services.state_rules import StateRules

_CLAIMED: tuple[Literal["email", "phone"], ...] = ("email", "phone")
_ERASED_WITH = "erased-with:"


def keep_claims(tx: Transaction, before: Customer | None, customer: Customer, rules: StateRules) -> None:
    """Keep what *customer* has as theirs now; *before* is how they were known."""
    changed = False
    told_before = before.told if before is not None else {}
    for kind in _CLAIMED:
        if _values(told_before, kind) != _values(customer.told, kind):
            changed |= _keep_told(tx, customer, kind, is_new=before is None)
    if changed:
        regroup(tx, customer.customer_id, rules)


def keep_browser(tx: Transaction, customer_id: str, anonymous_id: str, event: Event) -> None:
    """Keep that a customer was seen under an anonymous id, which makes nobody one person with another customer."""
    claims = tx.identities.claims_of(customer_id)
    known = next((each for each in claims if (each.kind, each.value) == ("anonymous", anonymous_id)), None)
    claim = _claim("anonymous", anonymous_id, customer_id, Telling(None, event.time, event.source, event.id))
    if known is not None:
        first = min(known, claim, key=lambda each: (each.first_seen_at, each.source, each.event_id))
        claim = replace(first, last_seen_at=max(known.last_seen_at, event.time))
    if claim != known:
        tx.identities.save_claim(claim)


def drop_claims(tx: Transaction, customer: Customer, told_until: datetime, rules: StateRules) -> None:
    """Forget what a customer claimed up to then; *customer* is what is left of them."""
    for claim in tx.identities.claims_of(customer.customer_id):
        if claim.kind == "anonymous" and claim.last_seen_at <= told_until:
            tx.identities.drop_claim(claim)
    for kind in _CLAIMED:
        _keep_told(tx, customer, kind, is_new=False)
    regroup(tx, customer.customer_id, rules)


def say(tx: Transaction, fact: CustomersMerged | CustomersSplit, event: Event, rules: StateRules) -> None:
    """Keep that somebody said that two ids are one person, or that they are not."""
    if fact.customer_id == fact.merged_customer_id:
        return
    tx.identities.add_word(
        MergeWord(
            source=event.source,
            event_id=event.id,
            customer_id=fact.customer_id,
            merged_customer_id=fact.merged_customer_id,
            merged=isinstance(fact, CustomersMerged),
            at=event.time,
        )
    )
    regroup(tx, fact.customer_id, rules)


def regroup(tx: Transaction, customer_id: str, rules: StateRules) -> None:
    """Find out anew who is one person, of all who have to do with *customer_id*."""
    kinds = {kind for kind in _CLAIMED if _merges(rules, kind)}
    shared: dict[tuple[str, str], list[str]] = {}
    words: dict[tuple[str, str], MergeWord] = {}
    found: set[str] = set()
    waiting = set(tx.identities.all_of(customer_id)) | {customer_id}
    while waiting:
        each = waiting.pop()
        found.add(each)
        near: set[str] = set(tx.identities.all_of(each))
        for word in tx.identities.words_on(each):
            words[word.source, word.event_id] = word
            near |= word.pair
        for claim in tx.identities.claims_of(each):
            if claim.kind in kinds and (claim.kind, claim.value) not in shared:
                claimants = tx.identities.claimants(claim.kind, claim.value, MOST_CLAIMANTS + 2)
                shared[claim.kind, claim.value] = claimants if len(claimants) <= MOST_CLAIMANTS else []
                # The first one too many parts those who were one person by it.
                near |= set(claimants) if len(claimants) <= MOST_CLAIMANTS + 1 else set()
        waiting |= near - found
    tx.identities.save_persons(persons(sorted(found), shared, list(words.values())))


def erase_others(tx: Transaction, fact: Fact, event: Event, now: datetime) -> None:
    """Let who asked to be forgotten under one id be forgotten under every other that is theirs.

    By an event for each: whoever reads the events anew forgets the same ids, though what made them one person is gone.
    To be called before *event* is applied.
    """
    if not isinstance(fact, CustomerErased) or (event.source == OWN_SOURCE and event.id.startswith(_ERASED_WITH)):
        return
    for other in tx.identities.all_of(fact.customer_id):
        known = tx.customers.profile(other)
        forgotten = known is not None and known.erased_at is not None and known.erased_at >= event.time
        if other != fact.customer_id and not forgotten:
            event_id = _ERASED_WITH + hashlib.sha256(f"{event.source}\n{event.id}\n{other}".encode()).hexdigest()
            erased = replace(
                event, id=event_id, source=OWN_SOURCE, subject=other, data={**event.data, "customer_id": other}
            )
            tx.events.add(erased, now, event_id.removeprefix(_ERASED_WITH))


def _merges(rules: StateRules, kind: ClaimKind) -> bool:
    return rules.merge_by_email if kind == "email" else rules.merge_by_phone


def _values(told: Told, field: str) -> set[str]:
    return {each.value.lower() for each in told.get(field, ()) if isinstance(each.value, str)}


def _keep_told(tx: Transaction, customer: Customer, kind: Literal["email", "phone"], *, is_new: bool) -> bool:
    """Let the claims be what the sources say now; return whether any changed."""
    wanted: dict[str, Telling] = {}
    for telling in customer.told.get(kind, ()):
        if isinstance(telling.value, str):
            wanted[tx.identities.blind(kind, telling.value)] = telling
    known = set()
    changed = False
    for claim in [] if is_new else tx.identities.claims_of(customer.customer_id):
        if claim.kind == kind and claim.value not in wanted:
            tx.identities.drop_claim(claim)
            changed = True
        elif claim.kind == kind:
            known.add(claim.value)
    for value, telling in wanted.items():
        if value not in known:
            tx.identities.save_claim(_claim(kind, value, customer.customer_id, telling))
            # Alone with it, it changes nothing.
            changed |= tx.identities.claimants(kind, value, 2) != [customer.customer_id]
    return changed


def _claim(kind: ClaimKind, value: str, customer_id: str, telling: Telling) -> Claim:
    return Claim(
        kind=kind,
        value=value,
        customer_id=customer_id,
        source=telling.source,
        event_id=telling.event_id,
        first_seen_at=telling.at,
        last_seen_at=telling.at,
    )
