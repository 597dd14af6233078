"""What came of playing one scenario, and whether it is what was expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from waggle.scenarios.scenario import ExpectedMail, Scenario
from waggle.scenarios.story import Happening, Path, span

_TOLERANCE: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class SentMail:
    """One mail that arrived."""

    after: timedelta
    """Since the scenario began."""
    template: str
    step: str
    to: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """One scenario, played."""

    scenario: Scenario
    began_at: datetime
    happenings: Sequence[Happening]
    """In the order of their time."""
    mails: Sequence[SentMail]
    enrolments: Sequence[Mapping[str, Any]]
    """Rows of the journey, the newest last."""
    messages: Sequence[Mapping[str, Any]]
    paths: Mapping[str, Path]
    """By process id: the journey's, those of pieces it called, and of other journeys that were on."""
    incidents: Sequence[str]
    took_s: float
    broken: str = ""
    """Why it could not be played to its end."""

    @property
    def differences(self) -> list[str]:
        """Return what is not as expected, each in a sentence; nothing if all is well."""
        if self.broken:
            return [self.broken]
        return [*self._journeys_end(), *self._mails(), *self._refusals(), *self._way(), *self._stops()]

    @property
    def is_met(self) -> bool:
        """Whether everything is as expected."""
        return not self.differences

    @property
    def ending(self) -> str:
        """Return how the newest enrolment ended, or where it stands."""
        if not self.enrolments:
            return "not enrolled"
        newest = self.enrolments[-1]
        reason = f" ({newest['outcome_reason']})" if newest["outcome_reason"] else ""
        return f"{newest['outcome']}{reason}" if newest["outcome"] else f"still {newest['state']}{self._place()}"

    def _place(self) -> str:
        path = self.paths.get(self.scenario.journey)
        return f" at {', '.join(path.waiting)}" if path is not None and path.waiting else ""

    def _journeys_end(self) -> list[str]:
        expect, outcomes = self.scenario.expect, [row["outcome"] for row in self.enrolments]
        if not expect.enrolled:
            return [f"nobody was to be enrolled; {len(outcomes)} were"] if outcomes else []
        wants = expect.outcome is not None or expect.outcomes is not None or expect.reason is not None
        if not outcomes:
            why = "is the event in bpmn/engine-messages.toml, with data that its rules admit?"
            return [f"the journey was never entered: {why}"] if wants else []
        found = []
        if expect.outcome is not None and outcomes[-1] != expect.outcome:
            found.append(f"outcome {expect.outcome} was expected; it is {self.ending}")
        if expect.outcomes is not None and outcomes != expect.outcomes:
            is_now = ", ".join(str(outcome or "none yet") for outcome in outcomes)
            found.append(f"outcomes {', '.join(expect.outcomes)} were expected; they are {is_now}")
        reason = self.enrolments[-1]["outcome_reason"] or ""
        if expect.reason is not None and reason != expect.reason:
            found.append(f"reason {expect.reason!r} was expected; it is {reason!r}")
        return found

    def _mails(self) -> list[str]:
        expected = self.scenario.expect.mails
        if expected is None:
            return []
        found = []
        for number, (wanted, came) in enumerate(zip(expected, self.mails, strict=False), 1):
            found += [f"mail {number}: {difference}" for difference in _compared(wanted, came)]
        missing = expected[len(self.mails) :]
        found += [f"mail {wanted.template or wanted.to} was expected and did not come" for wanted in missing]
        unexpected = self.mails[len(expected) :]
        return found + [
            f"mail {came.template} came after {span(came.after)} and was not expected" for came in unexpected
        ]

    def _refusals(self) -> list[str]:
        expected = self.scenario.expect.not_sent
        if expected is None:
            return []
        rows = [row for row in self.messages if row["state"] in {"suppressed", "failed", "in_doubt"}]
        stopped = {row["step"]: row["reason"] for row in rows}
        found = []
        for wanted in expected:
            if wanted.step not in stopped:
                states = {row["step"]: row["state"] for row in self.messages}
                found.append(
                    f"message {wanted.step} was expected not to leave for {wanted.reason}; "
                    f"it is {states.get(wanted.step, 'not planned at all')}"
                )
            elif stopped[wanted.step] != wanted.reason:
                found.append(
                    f"message {wanted.step} was expected not to leave for {wanted.reason}; "
                    f"the reason is {stopped[wanted.step]}"
                )
        unexpected = sorted(stopped.keys() - {wanted.step for wanted in expected})
        return found + [
            f"message {step} did not leave ({stopped[step]}), which was not expected" for step in unexpected
        ]

    def _way(self) -> list[str]:
        reached: set[str] = set()
        for path in self.paths.values():
            reached |= path.nodes | path.flows
        expect = self.scenario.expect
        missed = [f"{element} was to be passed and was not" for element in expect.visits if element not in reached]
        return [
            *missed,
            *(f"{element} was to be avoided and was not" for element in expect.avoids if element in reached),
        ]

    def _stops(self) -> list[str]:
        return [f"a step waits for a person: {incident}" for incident in self.incidents]


def _compared(wanted: ExpectedMail, came: SentMail) -> list[str]:
    found = []
    if wanted.template is not None and came.template != wanted.template:
        return [f"{wanted.template} was expected; it is {came.template}"]
    if wanted.at is not None and abs(came.after - wanted.at) > _TOLERANCE:
        name = wanted.template or "it"
        found.append(f"{name} was expected after {span(wanted.at)}; it came after {span(came.after)}")
    if wanted.subject is not None and wanted.subject not in came.subject:
        found.append(f"{wanted.subject!r} is not in its subject {came.subject!r}")
    if wanted.to is not None and wanted.to != came.to:
        found.append(f"it was expected to go to {wanted.to}; it went to {came.to}")
    return found
