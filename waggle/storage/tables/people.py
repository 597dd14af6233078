"""Customers."""

from sqlalchemy import JSON, Column, Table, Text

from waggle.storage.tables.columns import PERSONAL, UtcTime, metadata

# One row for each id that was told; ids that are one person stay rows of their own, so that they can be parted again.
customers = Table(
    "customers",
    metadata,
    Column("customer_id", Text, primary_key=True),
    # What each source told of each field last, and when; of personal fields without the value.
    Column("told", JSON),
    # The values of the personal fields: a JSON object.
    Column("sealed", Text, info=PERSONAL),
    Column("identified_at", UtcTime),
    Column("erased_at", UtcTime),
)
