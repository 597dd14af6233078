"""Plays scenarios on a stage, each in a house of its own."""

import asyncio
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec

from waggle.app import App
from waggle.domain.privacy import LegalHold
from waggle.errors import BadSettings, TemporaryFailure, WaggleError
from waggle.registry import load
from waggle.resources import shipped
from waggle.scenarios.empty_database import empty_database
from waggle.scenarios.house import House, Stage, letterbox, open_house
from waggle.scenarios.overrides import copy_config, policy_environment
from waggle.scenarios.performance import Performance, SentMail
from waggle.scenarios.scenario import (
    Click,
    Decide,
    MailServer,
    Open,
    Run,
    Scenario,
    Step,
    Tell,
    Unsubscribe,
    Wait,
)
from waggle.scenarios.selection import Library
from waggle.scenarios.story import Happening, incidents, messages_not_sent, passed, paths, span
from waggle.settings import Settings, load_settings, read_table

CUSTOMER: Final = "c-1"
_KNOWN: Final = (
    ("customer-identified", {"customer_id": CUSTOMER, "email": f"{CUSTOMER}@example.com", "first_name": "Ada"}),
    ("consent-given", {"customer_id": CUSTOMER}),
)

# A timer that is due so soon after a step is meant by it: journeys begin a moment after the event that starts them.
_AFTER_WAIT = timedelta(seconds=30)
_AFTER_STEP = timedelta(seconds=5)

_ASKED_AGAIN = timedelta(seconds=12)
_MAIL_WITHIN_S = 10.0
_LOOK_EVERY_S = 0.1
_BUSY_LIMIT_S = 180.0
_TIMES_LOOKED = 6
_LOOK_HEARD_WITHIN_S = 10.0

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_LINKS: Final = {"unsubscribe_url": "u", "preferences_url": "p", "action_url": "o"}
_TIME = re.compile(r"now(?:([+-])(P[0-9A-Z.]+))?")
_TABLES = ("enrolments", "messages")


class Player:
    """Plays scenarios of one folder of diagrams under one folder of settings."""

    def __init__(
        self, stage: Stage, library: Library, config_dir: Path, folder: Path, *, kept: Path | None = None
    ) -> None:
        """*folder* is for what is thrown away afterwards, *kept* for what the next player finds again."""
        self._stage = stage
        self._library = library
        self._config_dir = config_dir
        self._folder = folder
        self._kept = kept or folder
        self._database: Path | None = None

    async def deploy(self, journeys: Iterable[str]) -> None:
        """Hand what *journeys* need to the engine.

        Raises:
            BadSettings: JOURNEY_UNKNOWN, DIAGRAM_UNREADABLE.
            PermanentFailure: DIAGRAM_REFUSED.
            TemporaryFailure: ENGINE_BUSY, ENGINE_UNREACHABLE, still after three minutes.
        """
        files = self._library.files_of(journeys)
        app = App(self._settings(self._folder, self._config_dir, {}, 0))
        client = app.engine.client(self._stage.channel, self._stage.engine.grpc_address)
        end_s = time.monotonic() + _BUSY_LIMIT_S
        while True:
            try:
                await client.deploy(files)
            except TemporaryFailure as failure:
                # It is this machine's: busy with its start, it takes work a moment later.
                if time.monotonic() > end_s:
                    raise
                await asyncio.sleep(min(failure.retry_after_s, 1.0))
            else:
                return

    async def play(self, scenario: Scenario) -> Performance:
        """Play *scenario* and return what came of it; what goes wrong on the way is told there."""
        began_s = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self._folder) as made:
            folder = Path(made)
            async with self._house(scenario, folder) as house:
                play = _Play(scenario, house, self._known_instances())
                broken = ""
                try:
                    await play.all_steps()
                except WaggleError as error:
                    broken = f"{play.place}: {error.message}"
                return await self._performance(play, broken, began_s)

    @asynccontextmanager
    async def _house(self, scenario: Scenario, folder: Path) -> AsyncIterator[House]:
        config = folder / "config"
        copy_config(self._config_dir, config, scenario, self._library.journeys)
        shutil.copy(await self._empty_database(), folder / "waggle.db")
        async with letterbox(folder, self._stage.clock) as box:
            try:
                settings = self._settings(folder, config, policy_environment(scenario.policy), box.port)
            except BadSettings as error:
                raise BadSettings(error.code, f"{scenario.file}: {error.message}") from error
            async with open_house(self._stage, settings, box.reception) as house:
                yield house

    def _settings(self, home: Path, config_dir: Path, environment: Mapping[str, str], smtp_port: int) -> Settings:
        """Return settings under which nothing reaches the world: no connector but those that ship switched on."""
        settings = load_settings(
            {
                "WAGGLE_HOME": str(home),
                "WAGGLE_CONFIG_DIR": str(config_dir),
                "WAGGLE_BPMN_DIR": str(self._library.bpmn_dir),
                "WAGGLE_ENGINE__ADDRESS": self._stage.engine.grpc_address,
                "WAGGLE_LOG__LEVEL": "error",
                **environment,
            }
        )
        as_shipped = read_table(shipped("config") / "waggle.toml")
        harmless = {name: dict(as_shipped[name]) for name in settings.connectors if name in as_shipped}
        harmless["smtp"] |= {"port": smtp_port}
        return replace(
            settings,
            connectors=MappingProxyType(harmless),
            source_sections=MappingProxyType({}),
            stream_sections=MappingProxyType({}),
        )

    async def _empty_database(self) -> Path:
        """Return a database file that has all tables and no rows."""

        def make(home: Path) -> Path:
            app = App(self._settings(home, self._config_dir, {}, 0))
            app.store.close()
            return home / "waggle.db"

        if self._database is None:
            self._database = await asyncio.to_thread(empty_database, self._kept, make)
        return self._database

    def _known_instances(self) -> frozenset[int]:
        with self._stage.records.ledger() as ledger:
            return frozenset(ledger.instances)

    async def _performance(self, play: "_Play", broken: str, began_s: float) -> Performance:
        scenario, house = play.scenario, play.house
        tables = house.app.database.tables(_TABLES)
        diagrams = self._library.diagrams
        now = house.now()
        with house.records.ledger() as ledger:
            instances = [
                each
                for key, each in ledger.instances.items()
                if key not in play.before and each.bpmn_process_id in diagrams
            ]
            keys = {each.key for each in instances}
            stuck = [each for each in ledger.incidents.values() if each.process_instance_key in keys]
            ways = paths(ledger, instances, diagrams)
            happenings = [*play.happenings, *passed(ledger, instances, diagrams)]
        stopped = list(incidents(stuck, diagrams, now))
        happenings += [*stopped, *messages_not_sent(tables["messages"]), *_endings(tables["enrolments"])]
        happenings += [Happening(play.began_at + each.after, "mail", _mail_told(each)) for each in play.mails]
        own = [row for row in tables["enrolments"] if row["journey"] == scenario.journey]
        return Performance(
            scenario=scenario,
            began_at=play.began_at,
            happenings=sorted(happenings, key=lambda each: each.at),
            mails=play.mails,
            enrolments=sorted(own, key=lambda row: (row["entered_at"], row["entry"])),
            messages=tables["messages"],
            paths=ways,
            incidents=[each.text for each in stopped],
            took_s=time.monotonic() - began_s,
            broken=broken,
        )


@dataclass
class _Play:
    """One scenario while it is played."""

    scenario: Scenario
    house: House
    before: frozenset[int]
    """Instances of earlier scenarios."""
    began_at: datetime = _NEVER
    place: str = "before the first step"
    happenings: list[Happening] = field(default_factory=list)
    mails: list[SentMail] = field(default_factory=list)

    async def all_steps(self) -> None:
        """Play from beginning to end.

        Raises:
            BadSettings: SCENARIO_WRONG, a step asks for what is not there.
            TemporaryFailure: STILL_BUSY.
        """
        await self._begin()
        for number, step in enumerate(self.scenario.steps, 1):
            self.place = f"step {number} ({_told(step)})"
            await self._take(step, number)
            await self.house.pass_until(self.house.now(), _AFTER_STEP)
            await self._read_mails()
        self.place = "after the last step"

    async def _begin(self) -> None:
        house, wanted = self.house, self.scenario.starts_at
        now = house.now()
        at = now.replace(hour=wanted.hour, minute=wanted.minute, second=wanted.second, microsecond=0)
        await house.simulation.advance(((at if at > now else at + timedelta(days=1)) - now).total_seconds())
        self.began_at = house.now()
        if self.scenario.is_known:
            for event_type, data in _KNOWN:
                await house.tell(event_type, **data)
            await house.settle()
        if self.scenario.is_held:
            hold = LegalHold(customer_id=CUSTOMER, why="scenario", held_by="scenario", since=house.now())
            await house.app.store.run(lambda tx: tx.legal_holds.add(hold))

    async def _take(self, step: Step, number: int) -> None:
        match step:
            case Tell():
                await self._tell(step, number)
            case Wait():
                await self.house.pass_until(self.house.now() + step.wait, _AFTER_WAIT)
            case MailServer():
                self._did(f"mail server: {step.mail_server}")
                self.house.reception.manner = step.mail_server
            case Decide():
                await self._decide(step)
            case Run():
                await self._run(step.run)
            case _:
                await self._use_mail(step)

    async def _use_mail(self, step: Click | Open | Unsubscribe) -> None:
        # On a busy machine a mail may be a moment later than the quiet before it.
        end_s = time.monotonic() + _MAIL_WITHIN_S
        while not self.house.arrivals() and time.monotonic() < end_s:  # noqa: ASYNC110 -- nothing tells of a mail
            await asyncio.sleep(_LOOK_EVERY_S)
        await self.house.settle()
        mail = self._newest()
        match step:
            case Click():
                self._did(f"followed {_link_told(step.click)}")
                await self._fetch("GET", self._link(step.click, mail))
            case Open():
                self._did(f"opened {_link_told(step.open)} and pressed its button")
                link = self._link(step.open, mail)
                await self._fetch("GET", link)
                await self._fetch("POST", link, step.fill)
            case Unsubscribe():
                await self._unsubscribe(mail)

    async def _tell(self, step: Tell, number: int) -> None:
        now = self.house.now()
        data = {key: _in_time(value, now) for key, value in step.data.items()}
        at = now - step.ago
        event_id = step.id or f"{self.scenario.name}-{number}"
        ago = f", {span(step.ago)} ago" if step.ago else ""
        self.happenings.append(Happening(now, "told", f"{step.tell}{ago}"))
        problem = await self.house.tell_event(step.tell, data, event_id, at)
        if problem is not None:
            raise BadSettings("SCENARIO_WRONG", f"the event was not accepted: {problem}")

    async def _unsubscribe(self, mail: EmailMessage) -> None:
        link, post = mail["List-Unsubscribe"], mail["List-Unsubscribe-Post"]
        if link is None or post is None:
            raise BadSettings("SCENARIO_WRONG", "the newest mail offers no unsubscribing: is it a marketing mail?")
        self._did("unsubscribed")
        name, _, value = str(post).partition("=")
        await self._fetch("POST", str(link).strip("<>"), {name: value})

    async def _run(self, what: str) -> None:
        work: Any = getattr(self.house.app, what, None)
        if work is None:
            raise BadSettings("SCENARIO_WRONG", f"there is no hourly work called {what}")
        self._did(f"the hourly work: {what}")
        await work.run()

    async def _decide(self, step: Decide) -> None:
        decision = step.decide
        approvals: Any = getattr(self.house.app, "approvals", None)
        waiting = await approvals.list() if approvals is not None else []
        asked = [line for line in waiting if line.element_id == decision.task]
        if not asked:
            known = ", ".join(line.element_id for line in waiting) or "nobody is asked anything"
            raise BadSettings("SCENARIO_WRONG", f"nobody is asked at {decision.task}; waiting: {known}")
        self._did(f"{decision.by} said {decision.answer} at {decision.task}")
        answered = {"by": decision.by, "comment": "said in a scenario", "given": decision.data}
        await approvals.decide(asked[0].approval_id, decision.answer, **answered)
        for _ in range(_TIMES_LOOKED):
            # The step that waits for a person looks every few seconds whether one has decided; a look that got lost in
            # a leap of the clock comes again once its lease is over.
            await self.house.pass_until(self.house.now() + _ASKED_AGAIN)
            if await self._is_over(decision.task):
                await self.house.pass_until(self.house.now())
                return
        raise TemporaryFailure("ANSWER_NOT_HEARD", f"{decision.task} did not take up the answer")

    async def _is_over(self, task: str) -> bool:
        # Nothing shows that a step is about to look: without waiting for it, days could pass before it does.
        try:
            await self.house.stage.shown(
                lambda ledger: all(job.element_id != task for job in ledger.jobs.values()), _LOOK_HEARD_WITHIN_S
            )
        except TimeoutError:
            return False
        return True

    def _did(self, what: str) -> None:
        self.happenings.append(Happening(self.house.now(), "did", what))

    async def _read_mails(self) -> None:
        """Note mails that came since; a row may be gone later, when its customer is erased."""
        arrivals = self.house.arrivals()[len(self.mails) :]
        if not arrivals:
            return
        rows = {row["message_id"]: row for row in self.house.app.database.tables(["messages"])["messages"]}
        for arrival in arrivals:
            row = rows.get(arrival.message_id.strip("<>").partition("@")[0], {})
            self.mails.append(
                SentMail(
                    after=arrival.arrived_at - self.began_at,
                    template=row.get("template", "unknown"),
                    step=row.get("step", ""),
                    to=arrival.to,
                    subject=arrival.subject,
                )
            )

    def _newest(self) -> EmailMessage:
        arrivals = self.house.arrivals()
        if not arrivals:
            raise BadSettings("SCENARIO_WRONG", "no mail has come yet, so that no link can be followed")
        return self.house.mail(arrivals[-1])

    def _link(self, wanted: str | int, mail: EmailMessage) -> str:
        """Return the address that a link of *mail* leads to.

        Raises:
            BadSettings: SCENARIO_WRONG, the mail has no such link.
        """
        base = re.escape(self.house.app.settings.api.public_url.rstrip("/"))
        links = list(dict.fromkeys(re.findall(rf"{base}/[cpou]/[\w.-]+", _texts(mail))))
        if isinstance(wanted, int):
            chosen = links[wanted - 1 : wanted] if wanted > 0 else []
        else:
            kind = _LINKS.get(wanted, "c")
            chosen = [link for link in links if link.split("/")[-2] == kind]
        if not chosen:
            raise BadSettings(
                "SCENARIO_WRONG",
                f"the newest mail ({mail['Subject']}) has no {_link_told(wanted)}; it has {len(links)} links",
            )
        return str(chosen[0])

    async def _fetch(self, method: str, link: str, form: Mapping[str, str] = MappingProxyType({})) -> None:
        """Do as a browser would.

        Raises:
            BadSettings: SCENARIO_WRONG, the page says no.
            TemporaryFailure: PAGE_AWAY.
        """
        # Most scenarios follow no link: they begin without the pages and what serves them.
        browser = load("waggle.scenarios.browser:Browser")(self.house.app)
        await browser.fetch(method, link, form)


def _texts(mail: EmailMessage) -> str:
    """Return the links of the text part first: their order there is the order in which they are read."""
    parts = [mail.get_body((kind,)) for kind in ("plain", "html")]
    return "\n".join(str(part.get_content()) for part in parts if part is not None)


def _in_time(value: object, now: datetime) -> object:
    """Return *value* with times in it that are said from now on, also in lists and tables."""
    match value:
        case str() if found := _TIME.fullmatch(value):
            sign, length = found.groups()
            moved = msgspec.convert(length, timedelta) if length else timedelta(0)
            return (now - moved if sign == "-" else now + moved).isoformat()
        case dict():
            return {key: _in_time(each, now) for key, each in value.items()}
        case list():
            return [_in_time(each, now) for each in value]
        case _:
            return value


def _endings(rows: Iterable[Mapping[str, Any]]) -> Iterator[Happening]:
    for row in rows:
        if row["ended_at"] is not None:
            reason = f" ({row['outcome_reason']})" if row["outcome_reason"] else ""
            yield Happening(row["ended_at"], "ended", f"{row['outcome']}{reason}", row["journey"])


def _mail_told(mail: SentMail) -> str:
    return f'{mail.template} to {mail.to}: "{mail.subject}"'


def _link_told(wanted: str | int) -> str:
    return f"link {wanted}" if isinstance(wanted, int) else f"the link {wanted}"


def _told(step: Step) -> str:
    match step:
        case Wait():
            what = span(step.wait)
        case Decide():
            what = step.decide.task
        case _:
            what = str(next(iter(msgspec.structs.asdict(step).values())))
    return f"{type(step).__struct_fields__[0]} {what}"
