"""The beginnings of journeys, tasks and connectors, each whole enough to pass its own test."""

from waggle.scaffolding.code import new_connector, new_task
from waggle.scaffolding.journey import new_journey
from waggle.scaffolding.scaffold import Scaffold

__all__ = ["Scaffold", "new_connector", "new_journey", "new_task"]
