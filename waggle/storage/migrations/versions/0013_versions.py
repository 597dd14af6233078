"""What was deployed where, and which journeys are paused."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "file_contents",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_file_contents")),
    )
    op.create_table(
        "deployments",
        sa.Column(
            "deployment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("bundle_sha256", sa.Text(), nullable=False),
        sa.Column("context_sha256", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("deployment_id", name=op.f("pk_deployments")),
    )
    op.create_table(
        "deployed_files",
        sa.Column("deployment_id", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version_tag", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["deployments.deployment_id"],
            name=op.f("fk_deployed_files_deployment_id_deployments"),
        ),
        sa.ForeignKeyConstraint(
            ["sha256"], ["file_contents.sha256"], name=op.f("fk_deployed_files_sha256_file_contents")
        ),
        sa.PrimaryKeyConstraint("deployment_id", "file", name=op.f("pk_deployed_files")),
    )
    op.create_index("ix_deployed_files_file", "deployed_files", ["file"])
    op.create_table(
        "green_runs",
        sa.Column("bundle_sha256", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scenarios", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("bundle_sha256", name=op.f("pk_green_runs")),
    )
    op.create_table(
        "paused_journeys",
        sa.Column("journey", sa.Text(), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("kept_out", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("journey", name=op.f("pk_paused_journeys")),
    )
    op.create_table(
        "moves",
        sa.Column("enrolment_id", sa.Text(), nullable=False),
        sa.Column("journey", sa.Text(), nullable=False),
        sa.Column("instance_key", sa.BigInteger(), nullable=False),
        sa.Column("from_version", sa.Integer(), nullable=True),
        sa.Column("to_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolments.enrolment_id"], name=op.f("fk_moves_enrolment_id_enrolments")
        ),
        sa.PrimaryKeyConstraint("enrolment_id", name=op.f("pk_moves")),
    )
    op.add_column("enrolments", sa.Column("process_version", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Go back."""
    op.drop_column("enrolments", "process_version")
    op.drop_table("moves")
    op.drop_table("paused_journeys")
    op.drop_table("green_runs")
    op.drop_index("ix_deployed_files_file", "deployed_files")
    op.drop_table("deployed_files")
    op.drop_table("deployments")
    op.drop_table("file_contents")
