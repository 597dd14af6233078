"""What the shop sells, and what is being or was bought."""

from sqlalchemy import JSON, BigInteger, Column, Table, Text

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
    Column("customer_told_at", UtcTime),
    Column("url_told_at", UtcTime),
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
)
