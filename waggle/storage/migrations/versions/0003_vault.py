"""Keys of persons, and what events hold of them encrypted; what customers hold is sealed by the next one."""

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from waggle.storage.repositories.inbox import parted, person_of, place_of
from waggle.storage.vault import Vault

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_UNTOLD = sa.text("told = 0")
_ROWS_AT_ONCE = 500

# As they are after this migration, whatever they become later.
_EVENTS = sa.table(
    "events",
    sa.column("sequence", sa.BigInteger()),
    sa.column("source", sa.Text()),
    sa.column("event_id", sa.Text()),
    sa.column("type", sa.Text()),
    sa.column("subject", sa.Text()),
    sa.column("body_sha256", sa.Text()),
    sa.column("customer_id", sa.Text()),
    sa.column("data", sa.JSON()),
    sa.column("sealed", sa.Text()),
)
_REFUSED = sa.table("refused_events", sa.column("refusal_id", sa.BigInteger()), sa.column("body_sha256", sa.Text()))


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "person_keys",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("wrapped_key", sa.Text(), nullable=True),
        sa.Column("master_key_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_person_keys")),
    )
    op.create_index(op.f("ix_person_keys_master_key_id"), "person_keys", ["master_key_id"])
    op.create_index("ix_person_keys_untold", "person_keys", ["person"], sqlite_where=_UNTOLD, postgresql_where=_UNTOLD)
    op.add_column("events", sa.Column("sealed", sa.Text(), nullable=True))
    op.add_column("events", sa.Column("customer_id", sa.Text(), nullable=True))
    op.create_index("ix_events_customer_id", "events", ["customer_id"])
    vault = Vault(op.get_bind(), context.config.attributes["keyring"])
    _each(_EVENTS, "sequence", 0, lambda row: _sealed_event(vault, row))
    _each(_REFUSED, "refusal_id", 0, lambda row: {"body_sha256": vault.blind("body", row.body_sha256)})


def _each(table: sa.TableClause, key: str, before: object, change: Callable[[sa.Row[Any]], dict[str, object]]) -> None:
    """Change every row of *table*, so many at a time that memory does not grow with it; {}: it stays as it is."""
    connection, column = op.get_bind(), table.c[key]
    while rows := connection.execute(
        sa.select(table).where(column > before).order_by(column).limit(_ROWS_AT_ONCE)
    ).all():
        for row in rows:
            if changed := change(row):
                connection.execute(sa.update(table).where(column == getattr(row, key)).values(changed))
        before = getattr(rows[-1], key)


def _sealed_event(vault: Vault, row: sa.Row[Any]) -> dict[str, object]:
    plain, personal = parted(row.type, row.data)
    changed = {
        "customer_id": plain.get("customer_id"),
        "data": plain,
        "body_sha256": vault.blind("body", row.body_sha256),
    }
    if personal:
        place = place_of(row.source, row.event_id)
        changed["sealed"] = vault.seal(person_of(plain, row.subject), place, json.dumps(personal))
    return changed


def downgrade() -> None:
    """Go back; what was sealed is opened again, except for those who were erased."""
    vault = Vault(op.get_bind(), context.config.attributes["keyring"])
    _each(_EVENTS, "sequence", 0, lambda row: _opened_event(vault, row))
    op.drop_index("ix_events_customer_id", "events")
    op.drop_column("events", "customer_id")
    op.drop_column("events", "sealed")
    op.drop_table("person_keys")


def _opened_event(vault: Vault, row: sa.Row[Any]) -> dict[str, object]:
    if row.sealed is None:
        return {}
    text = vault.open(person_of(row.data, row.subject), place_of(row.source, row.event_id), row.sealed)
    return {"data": row.data | json.loads(text)} if text is not None else {}
