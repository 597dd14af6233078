"""Who may do what, and a chained audit log."""

import sqlalchemy as sa
from alembic import op

from waggle.domain.audit_chain import FIRST, row_hash
from waggle.storage.tables.columns import UtcTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward; a write key becomes a key that may send events, known to its holder as before."""
    op.create_table(
        "keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaced_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_keys_key_hash")),
    )
    # Of the key itself nothing is known, so its hint says nothing either.
    op.execute(
        "INSERT INTO keys (key_id, key_hash, hint, name, kind, source, scopes, created_at) "
        "SELECT 'k-' || substr(key_hash, 1, 12), key_hash, 'wk_', source, 'program', source, '[\"events:write\"]', "
        "created_at FROM write_keys"
    )
    op.drop_table("write_keys")
    op.create_table(
        "staff",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_staff")),
    )
    op.add_column("audit", sa.Column("row_hash", sa.Text(), server_default="none", nullable=False))
    op.create_table(
        "audit_head",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("row_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_audit_head")),
    )
    _chain_audit()
    # Asked for by the shop, one customer at a time.
    op.create_index(op.f("ix_coupons_customer_id"), "coupons", ["customer_id"])


def _chain_audit() -> None:
    """Chain the rows that are there, and number them without the gaps that PostgreSQL leaves where work was undone."""
    audit = sa.table(
        "audit",
        *(sa.column(name) for name in ("sequence", "actor", "action", "subject", "why", "row_hash")),
        sa.column("at", UtcTime()),
        sa.column("detail", sa.JSON()),
    )
    connection = op.get_bind()
    before = FIRST
    count = 0
    for row in connection.execute(sa.select(audit).order_by(audit.c.sequence)).all():
        count += 1
        columns = {**row._mapping, "sequence": count}  # noqa: SLF001 -- SQLAlchemy's public name for a row's columns by name
        del columns["row_hash"]
        before = row_hash(before, columns)
        chained = sa.update(audit).where(audit.c.sequence == row.sequence)
        connection.execute(chained.values(sequence=count, row_hash=before))
    head = sa.table("audit_head", *(sa.column(name) for name in ("chain", "sequence", "row_hash")))
    connection.execute(head.insert().values(chain="audit", sequence=count, row_hash=before))


def downgrade() -> None:
    """Go back; people and their tokens, and keys that may not send events, are lost."""
    op.drop_index(op.f("ix_coupons_customer_id"), "coupons")
    op.drop_table("audit_head")
    op.drop_column("audit", "row_hash")
    op.drop_table("staff")
    op.create_table(
        "write_keys",
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_write_keys")),
    )
    op.execute(
        "INSERT INTO write_keys (key_hash, source, created_at) SELECT key_hash, source, created_at FROM keys "
        "WHERE source IS NOT NULL AND revoked_at IS NULL"
    )
    op.drop_table("keys")
