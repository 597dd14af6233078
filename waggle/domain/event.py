"""Facts that enter through the one door, and what each must say."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """A CloudEvents 1.0 envelope, accepted or about to be.

    (source, id) is unique for ever. `subject` is the customer once known, else the cart or anonymous id: events of one
    subject are applied in the order of their arrival.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: dict[str, Any]


def personal() -> Any:  # noqa: ANN401 -- the type of a dataclass field is its annotation
    """Declare a field that says something about a person: it is stored encrypted, and goes when they are erased."""
    return field(default=None, metadata={"personal": True})


def personal_fields(fact_type: type) -> frozenset[str]:
    """Return the names of the fields of a fact that are declared personal."""
    return frozenset(each.name for each in fields(fact_type) if each.metadata.get("personal"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerIdentified:
    """A field that is absent leaves what is known as it is."""

    customer_id: str
    anonymous_id: str | None = None
    """What they did under this id before is theirs."""
    email: str | None = personal()
    phone: str | None = personal()
    """E.164."""
    first_name: str | None = personal()
    last_name: str | None = personal()
    birth_date: str | None = personal()
    """ISO 8601, such as 1990-04-30."""
    time_zone: str | None = None
    """IANA name, for example `Europe/Warsaw`."""
    language: str | None = None
    country: str | None = None
    """ISO 3166-1 alpha-2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomersMerged:
    """Two ids turned out to be one person; from now on `customer_id` stands for both."""

    customer_id: str
    merged_customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomersSplit:
    """An earlier merge was wrong."""

    customer_id: str
    merged_customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerErased:
    """The customer asked to be forgotten."""

    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRestricted:
    """What is known of the customer is kept, and used for nothing (GDPR Art. 18)."""

    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerUnrestricted:
    """The restriction is over."""

    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageViewed:
    """A page of the shop was looked at."""

    url: str
    customer_id: str | None = None
    anonymous_id: str | None = None
    title: str | None = None
    referrer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductViewed:
    """A product was looked at."""

    sku: str
    customer_id: str | None = None
    anonymous_id: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CartItem:
    """One line of a cart."""

    sku: str
    quantity: int
    unit_price_minor: int
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CartUpdated:
    """The whole cart as it is now; no items: it was emptied."""

    cart_id: str
    currency: str
    items: list[CartItem]
    customer_id: str | None = None
    anonymous_id: str | None = None
    url: str | None = None
    """Where the shopper finds this cart again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductAdded:
    """So many more of one product lie in the cart."""

    cart_id: str
    currency: str
    sku: str
    quantity: int
    unit_price_minor: int
    name: str | None = None
    customer_id: str | None = None
    anonymous_id: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRemoved:
    """So many fewer of one product lie in the cart."""

    cart_id: str
    sku: str
    quantity: int
    customer_id: str | None = None
    anonymous_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutStarted:
    """The shopper went to pay."""

    checkout_id: str
    currency: str
    total_minor: int
    items: list[CartItem] = field(default_factory=list)
    cart_id: str | None = None
    customer_id: str | None = None
    anonymous_id: str | None = None
    url: str | None = None
    """Where the shopper goes on with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    """An order; it may arrive before the cart it came from."""

    order_id: str
    currency: str
    total_minor: int
    items: list[CartItem] = field(default_factory=list)
    customer_id: str | None = None
    anonymous_id: str | None = None
    cart_id: str | None = None
    checkout_id: str | None = None
    coupon_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPaid:
    """The whole of an order was paid; this and what follows may arrive before the order itself."""

    order_id: str
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderShipped:
    """An order left the house."""

    order_id: str
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDelivered:
    """An order is with the customer."""

    order_id: str
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    """An order will not be carried out."""

    order_id: str
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReturned:
    """All or part of an order came back."""

    order_id: str
    refund_minor: int | None = None
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAuthorised:
    """A payment provider holds the money ready."""

    payment_id: str
    amount_minor: int
    currency: str
    order_id: str | None = None
    cart_id: str | None = None
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed:
    """A payment was tried and refused."""

    payment_id: str
    amount_minor: int | None = None
    currency: str | None = None
    code: str | None = None
    """The provider's word for the cause, such as `insufficient_funds`."""
    order_id: str | None = None
    cart_id: str | None = None
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefunded:
    """Money went back."""

    payment_id: str
    amount_minor: int
    currency: str
    order_id: str | None = None
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductUpdated:
    """What the shop sells under one stock-keeping unit."""

    sku: str
    name: str
    price_minor: int
    currency: str
    url: str | None = None
    image_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChanged:
    """What one costs now."""

    sku: str
    price_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StockChanged:
    """How many can be bought now."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGiven:
    """The customer agrees to one purpose on one channel."""

    customer_id: str
    purpose: str = "marketing"
    channel: str = "email"
    text_version: str | None = None
    """Which wording was agreed to."""
    legal_basis: str = "consent"
    """consent, contract, legitimate_interest or legal_obligation."""
    mechanism: str | None = None
    """How it was said: web_form, checkout, import, api, double_opt_in, preference_centre, one_click, gpc, complaint."""
    proof_url: str | None = None
    """Page or form where it was said."""
    ip: str | None = personal()
    valid_until: datetime | None = None
    """When it ends by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRequested:
    """The customer gave an address that is theirs to confirm (double opt-in); nothing is agreed to yet."""

    customer_id: str
    purpose: str = "marketing"
    channel: str = "email"
    text_version: str | None = None
    mechanism: str | None = None
    proof_url: str | None = None
    ip: str | None = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentWithdrawn:
    """The customer agrees no longer, or objects: purpose `profiling` (GDPR Art. 21), `sale-share` (CCPA)."""

    customer_id: str
    purpose: str = "marketing"
    channel: str = "email"
    mechanism: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentLapsed:
    """Nobody confirmed in time what was requested: the request is forgotten, and what was agreed to before stands."""

    customer_id: str
    purpose: str = "marketing"
    channel: str = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyRequestOpened:
    """The customer uses a right of theirs: access, portability, rectification, erasure, restriction, objection."""

    request_id: str
    customer_id: str
    right: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyRequestConfirmed:
    """Whoever reads the customer's mail says that the request is theirs."""

    request_id: str
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageClicked:
    """The shopper followed a link in a message."""

    message_id: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockSubscriptionCreated:
    """The customer wants to be told once a product can be bought again."""

    customer_id: str
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StockSubscriptionEnded:
    """The customer no longer waits for the product."""

    customer_id: str
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceWatchCreated:
    """The customer wants to be told once a product costs less than now."""

    customer_id: str
    sku: str
    price_minor: int
    """What it cost when they began to wait."""
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceWatchEnded:
    """The customer no longer waits for a lower price."""

    customer_id: str
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSubmitted:
    """The customer said in public what they think of what they bought."""

    customer_id: str
    order_id: str
    rating: int
    """1 to 5."""
    sku: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyAnswered:
    """The customer said how likely they are to recommend the shop."""

    customer_id: str
    order_id: str
    score: int
    """0 to 10."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerLapsed:
    """Somebody who used to buy has bought nothing for long."""

    customer_id: str
    days_since_order: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerUnengaged:
    """Somebody has followed no link in many messages."""

    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BirthdayApproaching:
    """The customer's birthday is near; which day it is stays where the birth date is kept."""

    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplenishmentExpected:
    """What the customer bought is probably used up soon."""

    customer_id: str
    sku: str
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsEarned:
    """The customer's loyalty account grew."""

    customer_id: str
    points: int
    order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TierChanged:
    """The customer rose or fell to another level of the loyalty programme."""

    customer_id: str
    tier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionReminderRequested:
    """The customer wants to be told when a promotion begins."""

    customer_id: str
    promotion_id: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceJoined:
    """The customer now belongs to a group that advertising may be aimed at."""

    customer_id: str
    audience: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceLeft:
    """The customer no longer belongs to the group."""

    customer_id: str
    audience: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRequested:
    """Somebody in charge wants one message to go to a whole segment."""

    campaign_id: str
    """Of this run; the same campaign may be run again."""
    campaign: str
    """File in config/campaigns."""
    requested_by: str | None = None
    """Name of who works with Waggle, and may not approve it."""


Fact = (
    CustomerIdentified
    | CustomersMerged
    | CustomersSplit
    | CustomerErased
    | CustomerRestricted
    | CustomerUnrestricted
    | PageViewed
    | ProductViewed
    | CartUpdated
    | ProductAdded
    | ProductRemoved
    | CheckoutStarted
    | OrderPlaced
    | OrderPaid
    | OrderShipped
    | OrderDelivered
    | OrderCancelled
    | OrderReturned
    | PaymentAuthorised
    | PaymentFailed
    | PaymentRefunded
    | ProductUpdated
    | PriceChanged
    | StockChanged
    | ConsentGiven
    | ConsentRequested
    | ConsentWithdrawn
    | ConsentLapsed
    | PrivacyRequestOpened
    | PrivacyRequestConfirmed
    | MessageClicked
    | StockSubscriptionCreated
    | StockSubscriptionEnded
    | PriceWatchCreated
    | PriceWatchEnded
    | ReviewSubmitted
    | SurveyAnswered
    | CustomerLapsed
    | CustomerUnengaged
    | BirthdayApproaching
    | ReplenishmentExpected
    | PointsEarned
    | TierChanged
    | PromotionReminderRequested
    | AudienceJoined
    | AudienceLeft
    | CampaignRequested
)

FACTS: dict[str, type[Fact]] = {
    "customer-identified": CustomerIdentified,
    "customers-merged": CustomersMerged,
    "customers-split": CustomersSplit,
    "customer-erased": CustomerErased,
    "customer-restricted": CustomerRestricted,
    "customer-unrestricted": CustomerUnrestricted,
    "page-viewed": PageViewed,
    "product-viewed": ProductViewed,
    "cart-updated": CartUpdated,
    "product-added": ProductAdded,
    "product-removed": ProductRemoved,
    "checkout-started": CheckoutStarted,
    "order-placed": OrderPlaced,
    "order-paid": OrderPaid,
    "order-shipped": OrderShipped,
    "order-delivered": OrderDelivered,
    "order-cancelled": OrderCancelled,
    "order-returned": OrderReturned,
    "payment-authorised": PaymentAuthorised,
    "payment-failed": PaymentFailed,
    "payment-refunded": PaymentRefunded,
    "product-updated": ProductUpdated,
    "price-changed": PriceChanged,
    "stock-changed": StockChanged,
    "consent-given": ConsentGiven,
    "consent-requested": ConsentRequested,
    "consent-withdrawn": ConsentWithdrawn,
    "consent-lapsed": ConsentLapsed,
    "privacy-request-opened": PrivacyRequestOpened,
    "privacy-request-confirmed": PrivacyRequestConfirmed,
    "message-clicked": MessageClicked,
    "stock-subscription-created": StockSubscriptionCreated,
    "stock-subscription-ended": StockSubscriptionEnded,
    "price-watch-created": PriceWatchCreated,
    "price-watch-ended": PriceWatchEnded,
    "review-submitted": ReviewSubmitted,
    "survey-answered": SurveyAnswered,
    "customer-lapsed": CustomerLapsed,
    "customer-unengaged": CustomerUnengaged,
    "birthday-approaching": BirthdayApproaching,
    "replenishment-expected": ReplenishmentExpected,
    "points-earned": PointsEarned,
    "tier-changed": TierChanged,
    "promotion-reminder-requested": PromotionReminderRequested,
    "audience-joined": AudienceJoined,
    "audience-left": AudienceLeft,
    "campaign-requested": CampaignRequested,
}
"""Event type -> what its data must say."""

OWN_FACTS = frozenset({"consent-lapsed", "privacy-request-opened", "privacy-request-confirmed", "campaign-requested"})
"""Types of events that happen here alone: nobody outside can say so."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an event was refused: which rule, where (such as `$.data.items[0].sku`), and how to mend it."""

    code: str
    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one event at the door."""

    id: str | None
    status: str
    """`accepted`, `duplicate` or `refused`."""
    problem: Problem | None = None
    quarantine_id: int | None = None
    """Under which number what was refused is kept, where the sender hears no answer."""
