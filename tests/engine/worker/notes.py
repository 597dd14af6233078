"""What the tasks of these tests read and return."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    enrolment_id: str


@dataclass(frozen=True, slots=True)
class Noted:
    is_noted: bool
