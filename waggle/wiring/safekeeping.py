"""Backups and master keys of the database; apart, for only the commands about them need what it imports."""

from waggle.storage.safekeeping import Safekeeping
from waggle.wiring.database import Database


def safekeeping(database: Database) -> Safekeeping:
    """Return what keeps *database* safe."""
    settings = database.settings
    return Safekeeping(
        url=settings.database_url,
        keyring=database.keyring,
        erased=settings.erased_list_file,
        allow_plaintext=settings.database.allow_plaintext,
        busy_timeout_s=settings.database.busy_timeout_s,
    )
