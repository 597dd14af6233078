"""Who decides on the command line."""

import getpass
import os
from typing import Annotated

from cyclopts import Parameter

from waggle.app import App
from waggle.domain.role import Scope

By = Annotated[str | None, Parameter(name="--by", env_var="WAGGLE_PERSON")]
"""The option of every command that decides something."""


async def acting(waggle: App, by: str | None, scope: Scope) -> str:
    """Return the name under which a decision that needs *scope* stands in the audit log.

    Without *by* it is who is logged in to this machine. Once people were added, only they decide, as their role lets
    them; raises as `waggle.services.people.People.acting` does.
    """
    return await waggle.accounts.people.acting(by, _login(), scope)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # In a container the user may have no name.
        return f"uid-{os.getuid()}"
