"""What was deployed and when, which journeys are paused, and which instances were moved."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import ColumnElement, and_, bindparam, case, delete, exists, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from waggle.ports.versions import DeployedFile, Deployment, GreenRun, LiveCount, Movable, Move, NewestFile, Pause
from waggle.storage import tables
from waggle.storage.repositories.base import Repository, value_of


class Versions(Repository):
    def add(self, deployment: Deployment, files: Sequence[DeployedFile], contents: Mapping[str, bytes]) -> int:
        self._seen.clear()
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        for sha256, content in contents.items():
            self._connection.execute(
                dialect.insert(tables.file_contents).values(sha256=sha256, content=content).on_conflict_do_nothing()
            )
        row = {name: value for name, value in asdict(deployment).items() if name != "deployment_id"}
        t = tables.deployments
        number = int(self._connection.scalar(insert(t).values(row).returning(t.c.deployment_id)) or 0)
        if files:
            rows = [{**asdict(file), "deployment_id": number} for file in files]
            self._connection.execute(insert(tables.deployed_files), rows)
        return number

    def newest_files(self) -> dict[str, NewestFile]:
        f = tables.deployed_files
        last = select(f.c.file, func.max(f.c.deployment_id)).group_by(f.c.file)
        return {each.file.file: each for each in self._files(tuple_(f.c.file, f.c.deployment_id).in_(last))}

    def of_file(self, file: str) -> list[NewestFile]:
        return self._files(tables.deployed_files.c.file == file)

    def newest(self, limit: int) -> list[Deployment]:
        t = tables.deployments
        return self._all(Deployment, select(t).order_by(t.c.deployment_id.desc()).limit(limit))

    def files_of(self, deployment_id: int) -> list[DeployedFile]:
        t = tables.deployed_files
        return self._all(DeployedFile, select(t).where(t.c.deployment_id == deployment_id).order_by(t.c.file))

    def content(self, sha256: str) -> bytes | None:
        row = self._one(tables.file_contents, sha256=sha256)
        return None if row is None else bytes(row.content)

    def green(self, bundle_sha256: str) -> GreenRun | None:
        row = self._one(tables.green_runs, bundle_sha256=bundle_sha256)
        return None if row is None else value_of(GreenRun, row)

    def note_green(self, run: GreenRun) -> None:
        self._save(tables.green_runs, asdict(run))

    def live_counts(self) -> list[LiveCount]:
        e, m = tables.enrolments, tables.messages
        waits = exists().where(m.c.enrolment_id == e.c.enrolment_id, m.c.state == "planned", m.c.reason != "")
        held = case((waits, 1), else_=0).label("held")
        alike = select(e.c.journey, e.c.state, e.c.process_version.label("version"), held).where(_live()).subquery()
        columns = (alike.c.journey, alike.c.state, alike.c.version, alike.c.held)
        rows = self._connection.execute(select(*columns, func.count()).group_by(*columns).order_by(*columns))
        return [LiveCount(journey, state, version, bool(held), count) for journey, state, version, held, count in rows]

    def movable(self, journey: str, version: int, after: str, limit: int) -> list[Movable]:
        e = tables.enrolments
        running = and_(e.c.journey == journey, e.c.state == "running", e.c.instance_key.is_not(None))
        elsewhere = e.c.process_version.is_distinct_from(version)
        found = select(e.c.enrolment_id, e.c.instance_key, e.c.process_version.label("version"))
        return self._all(
            Movable,
            found.where(running, elsewhere, e.c.enrolment_id > after).order_by(e.c.enrolment_id).limit(limit),
        )

    def ran_on(self, enrolment_id: str, version: int) -> bool:
        e = tables.enrolments
        running = and_(e.c.enrolment_id == enrolment_id, e.c.state == "running")
        self._seen.clear()
        return self._connection.execute(update(e).where(running).values(process_version=version)).rowcount == 1

    def save_move(self, move: Move) -> None:
        self._save(tables.moves, asdict(move))

    def move_of(self, enrolment_id: str) -> Move | None:
        row = self._one(tables.moves, enrolment_id=enrolment_id)
        return None if row is None else value_of(Move, row)

    def _files(self, chosen: ColumnElement[bool]) -> list[NewestFile]:
        d, f = tables.deployments, tables.deployed_files
        # Both have a deployment_id; every other column is one's own.
        columns = [*d.c, *(column for column in f.c if column.name != "deployment_id")]
        found = select(*columns).join_from(f, d, f.c.deployment_id == d.c.deployment_id).where(chosen)
        rows = self._connection.execute(found.order_by(d.c.deployment_id.desc(), f.c.file))
        return [NewestFile(value_of(Deployment, row), value_of(DeployedFile, row)) for row in rows]


class Pauses(Repository):
    """The table has a row for each paused journey, mostly none: read as a whole, once."""

    _known: dict[str, Pause] | None = None

    def all(self) -> dict[str, Pause]:
        if self._known is None:
            t = tables.paused_journeys
            self._known = {pause.journey: pause for pause in self._all(Pause, select(t).order_by(t.c.journey))}
        return self._known

    def of(self, journey: str) -> Pause | None:
        return self.all().get(journey)

    def save(self, pause: Pause) -> None:
        self._known = None
        self._save(tables.paused_journeys, asdict(pause))

    def end(self, journey: str) -> None:
        self._known = None
        t = tables.paused_journeys
        self._connection.execute(delete(t).where(t.c.journey == journey))

    def keep_out(self, journey: str) -> None:
        t = tables.paused_journeys
        self._connection.execute(update(t).where(t.c.journey == journey).values(kept_out=t.c.kept_out + 1))


def _live() -> ColumnElement[bool]:
    # Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
    return tables.enrolments.c.state != bindparam("ended", "ended", literal_execute=True)
