"""Hold what was accepted against what the database says and what arrived. It knows nothing of how Waggle works inside.

What is due is read from the history alone: a cart that was filled, by somebody who had agreed before, and that nothing
spoke against, gets both mails of its journey. Where something did speak against it, nothing is due, but no mail may be
handed over after that was acknowledged. Whatever is not done must have a final reason.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

from waggle.testing.chaos.history import Told, ToldEvent
from waggle.testing.chaos.stories import CartStory, stories

Row = Mapping[str, Any]
Kind = Literal["lost", "doubled", "unwanted", "stray", "unlisted", "overspent", "refused", "incident", "fell"]

TABLES = (
    "events",
    "refused_events",
    "customers",
    "consents",
    "carts",
    "orders",
    "enrolments",
    "engine_messages",
    "messages",
    "coupons",
)
STEPS = ("first-mail", "reminder")
"""The mails of the journey in which carts are left."""

_FINAL = frozenset({"sent", "suppressed", "failed", "in_doubt"})
_LEFT = frozenset({"sent", "in_doubt"})
_SLACK = timedelta(seconds=10)
"""By how much a time that was noted inside a transaction may differ from the order of commits."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a coupon campaign may spend."""

    count: int
    cost_minor: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise that was not kept."""

    kind: Kind
    subject: str
    """The id of an event, a cart, a message, ...: opaque."""
    what: str
    event_id: str | None = None
    """The accepted event whose effect is wanting."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}: {self.what}"


@dataclass(frozen=True)
class Evidence:
    """Everything that the verdict rests on."""

    told: Told
    tables: Mapping[str, Sequence[Row]]
    arrived: Sequence[str]
    """Ids of messages, one for each copy that the mail server took."""
    listed: frozenset[str]
    """Ids of messages that `waggle messages --in-doubt` names."""
    budgets: Mapping[str, Budget]
    lost_answers: int
    """How many processes died or had an answer cut off: each explains one message in doubt at most."""
    incidents: Sequence[str] = ()
    """Open ones, each in words."""
    refused: Sequence[str] = ()
    """Answers of the API that no repeat could mend."""
    fell: Sequence[str] = ()
    """Parts that ended though nobody killed them."""

    @cached_property
    def arrivals(self) -> Counter[str]:
        """Return how many copies of each message arrived."""
        return Counter(self.arrived)

    @cached_property
    def messages(self) -> Mapping[str, list[Row]]:
        """Return the message rows by enrolment."""
        return _grouped(self.tables["messages"], "enrolment_id")

    @cached_property
    def enrolments(self) -> Mapping[str, list[Row]]:
        """Return the enrolments by cart, oldest first."""
        return _grouped(sorted(self.tables["enrolments"], key=lambda row: row["entry"]), "cart_id")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, and how much there was to find it in."""

    accepted: int
    acted: int
    """Accepted events that were applied once and whose due effect arrived or has a final reason."""
    in_doubt: int
    in_doubt_listed: int
    carts: int
    mails: int
    coupons: int
    findings: Sequence[Finding] = field(default=())

    def count(self, kind: Kind) -> int:
        """Return how many findings are of *kind*."""
        return sum(finding.kind == kind for finding in self.findings)

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not self.findings


def check(evidence: Evidence) -> Verdict:
    """Return what *evidence* proves."""
    told_stories = stories(evidence.told)
    findings = [
        *_events(evidence),
        *_projections(evidence, told_stories),
        *_carts(evidence, told_stories),
        *_messages(evidence),
        *_in_doubt(evidence),
        *_coupons(evidence),
        *(Finding("incident", "engine", text) for text in evidence.incidents),
        *(Finding("refused", "api", text) for text in evidence.refused),
        *(Finding("fell", part, "ended though nobody killed it") for part in evidence.fell),
    ]
    accepted = evidence.told.accepted()
    without_effect = {finding.event_id for finding in findings if finding.event_id is not None}
    in_doubt = {row["message_id"] for row in evidence.tables["messages"] if row["state"] == "in_doubt"}
    return Verdict(
        accepted=len(accepted),
        acted=sum(event.event_id not in without_effect for event in accepted),
        in_doubt=len(in_doubt),
        in_doubt_listed=len(in_doubt & evidence.listed),
        carts=len(told_stories),
        mails=len(evidence.arrived),
        coupons=len(evidence.tables["coupons"]),
        findings=findings,
    )


def _events(evidence: Evidence) -> Iterator[Finding]:
    """Accepted means stored, once, and applied in the end."""
    rows = _grouped(evidence.tables["events"], "event_id")
    for event in evidence.told.accepted():
        found = rows.get(event.event_id, [])
        if not found:
            yield Finding("lost", event.event_id, f"{event.type} was acknowledged and is not stored", event.event_id)
        elif len(found) > 1:
            yield Finding("doubled", event.event_id, f"{event.type} is stored {len(found)} times")
        elif found[0]["state"] == "pending":
            yield Finding("lost", event.event_id, f"{event.type} was never applied", event.event_id)
        elif found[0]["state"] != "applied":
            code = found[0]["code"]
            yield Finding("refused", event.event_id, f"{event.type} was set aside: {code}", event.event_id)
    for row in evidence.tables["refused_events"]:
        yield Finding("refused", row["event_id"], f"turned away: {row['code']}")
    for row in evidence.tables["engine_messages"]:
        if row["state"] == "waiting":
            yield Finding("lost", row["enrolment_id"], f"the engine was never told of {row['name']}")
        elif row["state"] == "refused":
            yield Finding("refused", row["enrolment_id"], f"the engine refused {row['name']}: {row['code']}")


def _projections(evidence: Evidence, told: Mapping[str, CartStory]) -> Iterator[Finding]:
    """What was applied shows, and shows once."""
    yield from _consents(evidence)
    customers = {row["customer_id"] for row in evidence.tables["customers"]}
    orders = {row["order_id"] for row in evidence.tables["orders"]}
    for event in evidence.told.accepted():
        if event.type == "customer-identified" and event.data["customer_id"] not in customers:
            yield Finding("lost", event.event_id, "the customer is not known", event.event_id)
        if event.type == "order-placed" and event.data["order_id"] not in orders:
            yield Finding("lost", event.event_id, "the order is not known", event.event_id)
    carts = {row["cart_id"]: row for row in evidence.tables["carts"]}
    for story in told.values():
        newest = story.newest_update
        if newest is None or newest.acknowledged_at is None:
            continue
        row = carts.get(story.cart_id)
        if row is None or row["last_activity_at"] != newest.time or len(row["items"]) != len(newest.data["items"]):
            yield Finding("lost", newest.event_id, "the cart does not look as it was told last", newest.event_id)


def _consents(evidence: Evidence) -> Iterator[Finding]:
    """Facts about consent are appended, so that one that was applied twice stands there twice."""
    stands = Counter(
        (row["customer_id"], row["state"] == "granted", row["stated_at"]) for row in evidence.tables["consents"]
    )
    told: dict[tuple[str, bool, object], list[ToldEvent]] = defaultdict(list)
    for event in evidence.told.events.values():
        if event.type in {"consent-given", "consent-withdrawn"}:
            told[event.data["customer_id"], event.type == "consent-given", event.time].append(event)
    for key, events in told.items():
        accepted = [event for event in events if event.acknowledged_at is not None]
        if stands[key] < len(accepted):
            yield Finding("lost", accepted[0].event_id, "the consent is not on record", accepted[0].event_id)
        if stands[key] > len(events):
            yield Finding("doubled", events[0].event_id, f"the consent is on record {stands[key]} times")


def _carts(evidence: Evidence, told: Mapping[str, CartStory]) -> Iterator[Finding]:
    for story in told.values():
        enrolments = evidence.enrolments.get(story.cart_id, [])
        yield from _enrolments(evidence, story, enrolments)
        yield from _due(evidence, story, enrolments)
        yield from _unwanted(evidence, story, enrolments)
    for cart_id in evidence.enrolments.keys() - told.keys():
        yield Finding("stray", str(cart_id), "is in a journey, and nobody told of it")


def _enrolments(evidence: Evidence, story: CartStory, enrolments: Sequence[Row]) -> Iterator[Finding]:
    if not enrolments and story.must_enter is not None:
        event_id = story.must_enter.event_id
        yield Finding("lost", story.cart_id, "was filled and never entered its journey", event_id)
    if len(enrolments) > len(story.filled):
        yield Finding("doubled", story.cart_id, f"entered {len(enrolments)} times, filled {len(story.filled)} times")
    for earlier, _ in pairwise(enrolments):
        if any(row["state"] in _LEFT for row in evidence.messages.get(earlier["enrolment_id"], ())):
            yield Finding("doubled", story.cart_id, "entered again though it had got a mail")
    for row in enrolments:
        if row["state"] != "ended":
            filled = story.filled[0].event_id if story.filled else None
            yield Finding("lost", story.cart_id, f"its journey never ended: {row['state']}", filled)
        elif not row["outcome"]:
            yield Finding("lost", story.cart_id, "its journey ended without an outcome")


def _due(evidence: Evidence, story: CartStory, enrolments: Sequence[Row]) -> Iterator[Finding]:
    if not story.is_due or not enrolments:
        return
    for step in STEPS:
        rows = [row for each in enrolments for row in evidence.messages.get(each["enrolment_id"], ())]
        found = [row for row in rows if row["step"] == step]
        if not any(row["state"] in _LEFT for row in found):
            last = enrolments[-1]
            noted = [f"{row['state']} {row['reason']}" for row in found] or [
                f"{last['outcome'] or last['state']} {last['outcome_reason'] or ''}"
            ]
            what = f"{step} was due and did not leave: {', '.join(noted).strip()}"
            yield Finding("lost", story.cart_id, what, story.filled[0].event_id)


def _unwanted(evidence: Evidence, story: CartStory, enrolments: Sequence[Row]) -> Iterator[Finding]:
    for enrolment in enrolments:
        for row in evidence.messages.get(enrolment["enrolment_id"], ()):
            if row["handed_over_at"] is None:
                continue
            if not story.agreed:
                yield Finding("unwanted", story.cart_id, f"{row['step']} left, and nobody had agreed to it")
            for event in story.against:
                if event.acknowledged_at is not None and event.acknowledged_at < row["handed_over_at"]:
                    yield Finding("unwanted", story.cart_id, f"{row['step']} left after {event.type} was accepted")


def _messages(evidence: Evidence) -> Iterator[Finding]:
    """What arrived and what is written down tell the same."""
    steps: Counter[tuple[str, str]] = Counter()
    known = {row["message_id"]: row for row in evidence.tables["messages"]}
    for message_id, row in known.items():
        copies = evidence.arrivals[message_id]
        steps[row["enrolment_id"], row["step"]] += copies
        if row["state"] not in _FINAL:
            yield Finding("lost", message_id, f"{row['step']} has no final state: {row['state']}")
        elif row["state"] == "sent" and not copies:
            yield Finding("lost", message_id, f"{row['step']} counts as sent and did not arrive")
        elif row["state"] not in _LEFT and copies:
            yield Finding("stray", message_id, f"{row['step']} arrived and counts as {row['state']}")
    for (enrolment_id, step), copies in steps.items():
        if copies > 1:
            yield Finding("doubled", enrolment_id, f"{step} arrived {copies} times")
    for message_id in evidence.arrivals.keys() - known.keys():
        yield Finding("stray", message_id, "arrived and is not in the database")


def _in_doubt(evidence: Evidence) -> Iterator[Finding]:
    in_doubt = [row for row in evidence.tables["messages"] if row["state"] == "in_doubt"]
    for row in in_doubt:
        if row["message_id"] not in evidence.listed:
            yield Finding("unlisted", row["message_id"], "is in doubt, and nobody is told")
        if row["handed_over_at"] is None:
            yield Finding("stray", row["message_id"], "is in doubt though it was never handed over")
    for message_id in evidence.listed - {row["message_id"] for row in in_doubt}:
        yield Finding("stray", message_id, "is listed as in doubt and is not")
    if len(in_doubt) > evidence.lost_answers:
        what = f"{len(in_doubt)} are in doubt, and {evidence.lost_answers} times an answer could get lost"
        yield Finding("stray", "messages", what)


def _coupons(evidence: Evidence) -> Iterator[Finding]:
    rows = evidence.tables["coupons"]
    for key, count in Counter((row["enrolment_id"], row["step"]) for row in rows).items():
        if count > 1:
            yield Finding("doubled", key[0], f"{count} coupons of one step")
    for code, count in Counter(row["code"] for row in rows).items():
        if count > 1:
            yield Finding("doubled", code, f"{count} coupons of one code")
    for campaign, coupons in _grouped(rows, "campaign").items():
        budget = evidence.budgets.get(campaign)
        if budget is None:
            yield Finding("overspent", campaign, "is no campaign")
        else:
            yield from _overspent(campaign, coupons, budget)
    ended = {row["enrolment_id"] for row in evidence.tables["enrolments"] if row["state"] == "ended"}
    for row in rows:
        if row["state"] == "reserved" and row["enrolment_id"] in ended:
            yield Finding("lost", row["coupon_id"], "its journey is over, and the coupon still holds budget")


def _overspent(campaign: str, coupons: Iterable[Row], budget: Budget) -> Iterator[Finding]:
    """Play reservations and returns once more, in the order of their times."""
    moves = []
    for row in coupons:
        moves.append((row["reserved_at"], 1, row["cost_minor"]))
        if row["state"] == "reversed":
            moves.append((max(row["closed_at"] - _SLACK, row["reserved_at"]), -1, -row["cost_minor"]))
    count = cost_minor = most = most_minor = 0
    for _, one, cost in sorted(moves):
        count, cost_minor = count + one, cost_minor + cost
        most, most_minor = max(most, count), max(most_minor, cost_minor)
    if most > budget.count:
        yield Finding("overspent", campaign, f"{most} coupons of {budget.count}")
    if most_minor > budget.cost_minor:
        yield Finding("overspent", campaign, f"{most_minor} of {budget.cost_minor} in money")


def _grouped(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[column]].append(row)
    return found
