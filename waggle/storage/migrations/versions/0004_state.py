"""Identities, and where each field of the state came from."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from waggle.storage.vault import Vault

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_PERSONAL = ("email", "first_name")
_PLAIN = ("time_zone", "language")
_AT_ONCE = 500


def upgrade() -> None:
    """Go forward; of what was known before nobody knows who told it, until the events are read anew."""
    _people()
    _shop()


def _people() -> None:
    op.create_table(
        "identities",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.Column("last_seen_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", "customer_id", name=op.f("pk_identities")),
    )
    op.create_index(op.f("ix_identities_customer_id"), "identities", ["customer_id"])
    op.create_table(
        "merges",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("merged_customer_id", sa.Text(), nullable=False),
        sa.Column("merged", sa.Boolean(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("source", "event_id", name=op.f("pk_merges")),
    )
    op.create_index(op.f("ix_merges_customer_id"), "merges", ["customer_id"])
    op.create_index(op.f("ix_merges_merged_customer_id"), "merges", ["merged_customer_id"])
    op.create_table(
        "merged_ids",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_merged_ids")),
    )
    op.create_index(op.f("ix_merged_ids_person_id"), "merged_ids", ["person_id"])
    op.add_column("customers", sa.Column("told", sa.JSON(), nullable=True))
    op.add_column("customers", sa.Column("sealed", sa.Text(), nullable=True))
    _fold_customers()
    for name in (*_PERSONAL, *_PLAIN):
        op.drop_column("customers", name)
        op.drop_column("customers", f"{name}_at")


def _fold_customers() -> None:
    """Turn the columns into origins and sealed values, some rows at a time; and claim the addresses."""
    connection = op.get_bind()
    fields = (*_PERSONAL, *_PLAIN)
    columns: list[sa.ColumnClause[Any]] = [sa.column("customer_id"), *(sa.column(name) for name in fields)]
    columns += [sa.column(f"{name}_at", _TIME) for name in fields]
    customers = sa.table("customers", *columns, sa.column("told", sa.JSON()), sa.column("sealed"))
    claims = sa.table(
        "identities",
        *(sa.column(name) for name in ("kind", "value", "customer_id", "source", "event_id")),
        sa.column("first_seen_at", _TIME),
        sa.column("last_seen_at", _TIME),
    )
    after = ""
    while True:
        found = sa.select(*columns).where(columns[0] > after).order_by(columns[0]).limit(_AT_ONCE)
        rows = connection.execute(found).all()
        if not rows:
            return
        vault = Vault(connection, context.config.attributes["keyring"])
        for row in rows:
            after = row.customer_id
            told, personal = {}, {}
            for name in fields:
                value, at = getattr(row, name), getattr(row, f"{name}_at")
                if value is None or at is None:
                    continue
                told[name] = [["", "", _utc(at), 0, None if name in _PERSONAL else value]]
                if name in _PERSONAL:
                    personal[name] = {"": value}
            sealed = None
            if personal:
                sealed = vault.seal(row.customer_id, f"customers.sealed/{row.customer_id}", json.dumps(personal))
            if "email" in personal:
                claim = {"kind": "email", "value": vault.blind("email", row.email.lower())}
                seen = {"first_seen_at": row.email_at, "last_seen_at": row.email_at}
                claim |= {"customer_id": row.customer_id, "source": "", "event_id": ""}
                connection.execute(sa.insert(claims), claim | seen)
            of_row = customers.c.customer_id == row.customer_id
            connection.execute(sa.update(customers).where(of_row).values(told=told, sealed=sealed))


def _utc(at: object) -> str:
    text = at.isoformat() if hasattr(at, "isoformat") else str(at)
    return text if "+" in text else f"{text}+00:00"


def _shop() -> None:
    for name in ("anonymous_id", "checkout_id"):
        op.add_column("carts", sa.Column(name, sa.Text(), nullable=True))
        op.create_index(op.f(f"ix_carts_{name}"), "carts", [name])
        op.add_column("orders", sa.Column(name, sa.Text(), nullable=True))
        op.create_index(op.f(f"ix_orders_{name}"), "orders", [name])
    op.add_column("carts", sa.Column("checkout_started_at", _TIME, nullable=True))
    op.add_column("carts", sa.Column("changes", sa.JSON(), nullable=True))
    for table in ("carts", "orders", "products"):
        op.add_column(table, sa.Column("told", sa.JSON(), nullable=True))
    op.drop_column("carts", "customer_told_at")
    op.drop_column("carts", "url_told_at")
    op.create_table(
        "early_orders",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_early_orders")),
    )
    op.create_table(
        "payments",
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("cart_id", sa.Text(), nullable=True),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("payment_id", name=op.f("pk_payments")),
    )
    for name in ("order_id", "cart_id", "customer_id"):
        op.create_index(op.f(f"ix_payments_{name}"), "payments", [name])
    op.create_table(
        "product_views",
        sa.Column("viewer_kind", sa.Text(), nullable=False),
        sa.Column("viewer_id", sa.Text(), nullable=False),
        sa.Column("views", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("viewer_kind", "viewer_id", name=op.f("pk_product_views")),
    )


def downgrade() -> None:
    """Go back; what is sealed stays behind, since the version before cannot read it."""
    for table in ("product_views", "payments", "early_orders"):
        op.drop_table(table)
    for table in ("carts", "orders", "products"):
        op.drop_column(table, "told")
    for name in ("anonymous_id", "checkout_id"):
        for table in ("carts", "orders"):
            op.drop_index(op.f(f"ix_{table}_{name}"), table)
            op.drop_column(table, name)
    for name in ("checkout_started_at", "changes"):
        op.drop_column("carts", name)
    op.add_column("carts", sa.Column("customer_told_at", _TIME, nullable=True))
    op.add_column("carts", sa.Column("url_told_at", _TIME, nullable=True))
    for name in (*_PERSONAL, *_PLAIN):
        op.add_column("customers", sa.Column(name, sa.Text(), nullable=True))
        op.add_column("customers", sa.Column(f"{name}_at", _TIME, nullable=True))
    op.drop_column("customers", "sealed")
    op.drop_column("customers", "told")
    for table in ("merged_ids", "merges", "identities"):
        op.drop_table(table)
