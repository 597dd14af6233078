"""What was deployed and when, which journeys are paused, and which instances were moved."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Table, Text

from waggle.storage.tables.columns import SEQUENCE, UtcTime, metadata

file_contents = Table(
    "file_contents",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

deployments = Table(
    "deployments",
    metadata,
    Column("deployment_id", SEQUENCE, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("bundle_sha256", Text, nullable=False),
    Column("context_sha256", Text, nullable=False),
    Column("why", Text, nullable=False),
)

deployed_files = Table(
    "deployed_files",
    metadata,
    Column("deployment_id", BigInteger, ForeignKey("deployments.deployment_id"), primary_key=True),
    Column("file", Text, primary_key=True, index=True),
    Column("sha256", Text, ForeignKey("file_contents.sha256"), nullable=False),
    Column("name", Text, nullable=False),
    Column("version_tag", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("key", BigInteger, nullable=False),
)

green_runs = Table(
    "green_runs",
    metadata,
    Column("bundle_sha256", Text, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("scenarios", Integer, nullable=False),
)

paused_journeys = Table(
    "paused_journeys",
    metadata,
    Column("journey", Text, primary_key=True),
    Column("paused_at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("kept_out", Integer, nullable=False),
)

moves = Table(
    "moves",
    metadata,
    Column("enrolment_id", Text, ForeignKey("enrolments.enrolment_id"), primary_key=True),
    Column("journey", Text, nullable=False),
    Column("instance_key", BigInteger, nullable=False),
    Column("from_version", Integer),
    Column("to_version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)
