"""What the shop sells, and what is being or was bought.

`told` holds what each source told of each field last, and when; the other columns say what follows from it. It is NULL
in rows of before origins were noted.
"""

from sqlalchemy import JSON, BigInteger, Column, Index, Table, Text

from waggle.storage.tables.columns import UtcTime, metadata

carts = Table(
    "carts",
    metadata,
    Column("cart_id", Text, primary_key=True),
    Column("customer_id", Text, index=True),
    Column("currency", Text, nullable=False),
    Column("items", JSON, nullable=False),
    Column("url", Text),
    Column("last_activity_at", UtcTime, nullable=False),
    Column("anonymous_id", Text, index=True),
    Column("checkout_id", Text, index=True),
    Column("checkout_started_at", UtcTime),
    Column("told", JSON),
    # Single products put in or taken out since the newest full picture.
    Column("changes", JSON),
)

orders = Table(
    "orders",
    metadata,
    Column("order_id", Text, primary_key=True),
    Column("customer_id", Text, index=True),
    Column("cart_id", Text, index=True),
    Column("placed_at", UtcTime, nullable=False),
    Column("currency", Text, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("coupon_code", Text),
    Column("anonymous_id", Text, index=True),
    Column("checkout_id", Text, index=True),
    Column("told", JSON),
    # Those of one day, in order.
    Index("ix_orders_placed", "placed_at", "order_id"),
)

# What was told of orders that have not been placed yet, as far as is known.
early_orders = Table(
    "early_orders",
    metadata,
    Column("order_id", Text, primary_key=True),
    Column("told", JSON, nullable=False),
)

payments = Table(
    "payments",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("order_id", Text, index=True),
    Column("cart_id", Text, index=True),
    Column("customer_id", Text, index=True),
    Column("told", JSON, nullable=False),
)

products = Table(
    "products",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("name", Text),
    Column("price_minor", BigInteger),
    Column("currency", Text),
    Column("url", Text),
    Column("image_url", Text),
    Column("updated_at", UtcTime),
    Column("quantity", BigInteger),
    Column("stock_changed_at", UtcTime),
    Column("told", JSON),
)

# The newest views of each viewer: `customer` with a customer id as it was told, or `anonymous`.
product_views = Table(
    "product_views",
    metadata,
    Column("viewer_kind", Text, primary_key=True),
    # By itself, too: whoever asks what is held about a person does not know as what they looked.
    Column("viewer_id", Text, primary_key=True, index=True),
    Column("views", JSON, nullable=False),
)
