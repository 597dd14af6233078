"""The form of a scenario file, `bpmn/scenarios/<process id>/<scenario>.toml`, and of `gaps.toml` beside it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import msgspec

from waggle.errors import BadSettings
from waggle.ports.journey_engine import Scalar

FOLDER: Final = "scenarios"
GAPS: Final = "gaps.toml"

_DEFAULT_START: Final = time(10)


class _Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One line of what happens; errors name its keys, so these are spelt as in the file."""


class Tell(_Step, frozen=True):
    """The shop sends an event."""

    tell: str
    data: dict[str, Any] = {}
    """A text `now`, `now+P3D` or `now-PT2H` stands for that time."""
    id: str | None = None
    ago: timedelta = timedelta(0)
    """How long before now it happened; now, if left out."""


class Wait(_Step, frozen=True):
    """Journeys' time passes."""

    wait: timedelta


class Click(_Step, frozen=True):
    """A shopper follows a link of the newest mail: by name such as `cart_url`, or the n-th from 1."""

    click: str | int


class Open(_Step, frozen=True):
    """A shopper opens a page by a link of the newest mail and presses its button."""

    open: str | int
    fill: dict[str, str] = {}
    """Fields of the page's form."""


class Unsubscribe(_Step, frozen=True):
    """A mail program's button for leaving the list, on the newest mail."""

    unsubscribe: Literal[True]


class MailServer(_Step, frozen=True):
    """From now on the mail server takes mails, refuses them for good, or for the moment."""

    mail_server: Literal["accept", "refuse", "defer"]


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a person says to what waits for them."""

    task: str
    """Element id of the user task."""
    answer: str
    by: str
    data: dict[str, Any] = {}


class Decide(_Step, frozen=True):
    """A person decides."""

    decide: Decision


class Run(_Step, frozen=True):
    """What is done every hour is done now."""

    run: Literal["occasions"]


Step: TypeAlias = Tell | Wait | Click | Open | Unsubscribe | MailServer | Decide | Run

_KINDS: Final[Mapping[str, type[Step]]] = {
    "tell": Tell,
    "wait": Wait,
    "click": Click,
    "open": Open,
    "unsubscribe": Unsubscribe,
    "mail_server": MailServer,
    "decide": Decide,
    "run": Run,
}


class ExpectedMail(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One mail that arrives; a ticket for the helpdesk is made from no template."""

    template: str | None = None
    at: timedelta | None = None
    """Since the scenario began."""
    subject: str | None = None
    """Is contained in it."""
    to: str | None = None


class ExpectedRefusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One message that does not leave."""

    step: str
    reason: str


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be true in the end; None: anything may."""

    enrolled: bool = True
    outcome: str | None = None
    outcomes: list[str] | None = None
    reason: str | None = None
    mails: list[ExpectedMail] | None = None
    not_sent: list[ExpectedRefusal] | None = None
    visits: list[str] = []
    avoids: list[str] = []


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    title: str
    starts_at: str = ""
    known: bool = True
    legal_hold: bool = False
    also: list[str] = []
    settings: dict[str, Scalar] = {}
    entry: dict[str, Any] = {}
    exits: dict[str, bool] = {}
    policy: dict[str, Any] = {}
    coupons: dict[str, dict[str, Any]] = {}
    steps: list[dict[str, Any]] = []
    expect: Expectation = Expectation()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One case of a journey."""

    journey: str
    name: str
    """Stem of its file."""
    file: Path
    title: str
    starts_at: time = _DEFAULT_START
    """Time of day, in UTC, at which it begins."""
    is_known: bool = True
    """Whether customer c-1 has signed up and agreed before it begins."""
    is_held: bool = False
    """Whether a law wants what is known of c-1 kept."""
    also: tuple[str, ...] = ()
    """Other journeys that are switched on."""
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    entry: Mapping[str, Any] = field(default_factory=dict)
    exits: Mapping[str, bool] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)
    coupons: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By campaign: keys of config/coupons.toml."""
    steps: tuple[Step, ...] = ()
    expect: Expectation = field(default_factory=Expectation)

    @property
    def label(self) -> str:
        """Return what it is called in lists."""
        return f"{self.journey}/{self.name}"


def read_scenario(file: Path, journey: str | None = None) -> Scenario:
    """Read one scenario; its journey is the folder's name unless given.

    Raises:
        BadSettings: SCENARIO_UNREADABLE or SCENARIO_WRONG, naming file, step and what to write instead.
    """
    read = _converted(_table(file), _File, file, "")
    steps = tuple(_step(table, f"step {number}", file) for number, table in enumerate(read.steps, 1))
    return Scenario(
        journey=journey or file.parent.name,
        name=file.stem,
        file=file,
        title=read.title,
        starts_at=_time_of_day(read.starts_at, file),
        is_known=read.known,
        is_held=read.legal_hold,
        also=tuple(read.also),
        settings=read.settings,
        entry=read.entry,
        exits=read.exits,
        policy=read.policy,
        coupons=read.coupons,
        steps=steps,
        expect=read.expect,
    )


def scenario_files(bpmn_dir: Path, journey: str) -> list[Path]:
    """Return the scenario files of *journey*, in the order of their names."""
    return sorted(file for file in (bpmn_dir / FOLDER / journey).glob("*.toml") if file.name != GAPS)


def all_scenario_files(bpmn_dir: Path) -> list[Path]:
    """Return every scenario file, journey by journey."""
    return sorted(file for file in (bpmn_dir / FOLDER).glob("*/*.toml") if file.name != GAPS)


def read_gaps(bpmn_dir: Path, process_id: str) -> Mapping[str, str]:
    """Return which elements of a diagram no scenario can reach, by id, and why.

    Raises:
        BadSettings: SCENARIO_UNREADABLE, or SCENARIO_WRONG if one has no reason.
    """
    file = bpmn_dir / FOLDER / process_id / GAPS
    if not file.is_file():
        return MappingProxyType({})
    gaps = _table(file)
    for element, reason in gaps.items():
        if not isinstance(reason, str) or not reason.strip():
            raise BadSettings("SCENARIO_WRONG", f'{file}: {element}: write why no scenario can reach it, as a "text"')
    return gaps


def _table(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings("SCENARIO_UNREADABLE", f"{file}: {error}") from error


def _step(table: dict[str, Any], where: str, file: Path) -> Step:
    named = [key for key in table if key in _KINDS]
    if len(named) != 1:
        found = f"has {' and '.join(named)}" if named else f"says only {', '.join(table) or 'nothing'}"
        raise BadSettings("SCENARIO_WRONG", f"{file}: {where} {found}: write exactly one of {', '.join(_KINDS)} in it")
    step: Step = _converted(table, _KINDS[named[0]], file, where)
    if isinstance(step, Wait) and step.wait <= timedelta(0):
        raise BadSettings("SCENARIO_WRONG", f"{file}: {where}: wait must be longer than nothing, such as PT20M or P3D")
    return step


def _converted(table: dict[str, Any], kind: type[Any], file: Path, where: str) -> Any:  # noqa: ANN401 -- of that kind
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise BadSettings(
            "SCENARIO_WRONG", f"{file}: {f'{where}: ' if where else ''}{_said(str(error), kind)}"
        ) from error


def _said(error: str, kind: type[Any]) -> str:
    """Turn "Expected `duration`, got `str` - at `$.wait`" into words of the file's own."""
    problem, _, path = error.partition(" - at `$")
    at = path.rstrip("`").lstrip(".")
    problem = problem.replace("Object contains unknown field", "there is no key").replace(
        "Object missing required field", "it lacks"
    )
    mend = ""
    if "duration" in problem.lower():
        mend = "; write a duration such as PT20M, PT36H or P3D"
    elif "there is no key" in problem:
        known = _known(kind, at)
        mend = f"; known: {', '.join(known)}" if known else ""
    return f"{f'{at}: ' if at else ''}{problem}{mend}"


def _known(kind: type[Any], at: str) -> list[str]:
    if kind is _File and at.startswith("expect"):
        kind = ExpectedMail if "mails" in at else ExpectedRefusal if "not_sent" in at else Expectation
    elif kind is Decide and at:
        kind = Decision
    return list(kind.__struct_fields__)


def _time_of_day(text: str, file: Path) -> time:
    if not text:
        return _DEFAULT_START
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise BadSettings(
            "SCENARIO_WRONG", f'{file}: starts_at: {text!r} is no time of day; write "10:00", in UTC'
        ) from None
