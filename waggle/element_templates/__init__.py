"""Ready-made steps for Camunda Modeler, made of workers, pieces, decisions and the catalogue of engine messages."""

from waggle.element_templates.everything import element_templates
from waggle.element_templates.folder import (
    Change,
    Plan,
    TemplateInUse,
    missing_templates,
    plan,
    read_folder,
    templates_in_use,
)
from waggle.element_templates.linking import Link, links, tied
from waggle.element_templates.project import Project, read_project

__all__ = [
    "Change",
    "Link",
    "Plan",
    "Project",
    "TemplateInUse",
    "element_templates",
    "links",
    "missing_templates",
    "plan",
    "read_folder",
    "read_project",
    "templates_in_use",
    "tied",
]
