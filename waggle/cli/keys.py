"""`waggle keys`: who may send events."""

import asyncio

from cyclopts import App as Commands

from waggle.app import App
from waggle.settings import load_settings

app = Commands(
    name="keys",
    help="Write keys: who may send events.\n\n"
    "Example: `waggle keys create shop` prints one for the header `Authorization: Bearer <write key>`.",
)


@app.command
def create(source: str) -> None:
    """Make a key for SOURCE and print it; it is shown this once.

    Example: `waggle keys create shop`

    Parameters
    ----------
    source
        Name of the system that will send events, such as shop or shop/eu; older keys of it stay good.
    """
    waggle = App(load_settings())
    try:
        print(asyncio.run(waggle.write_keys.create(source)))
    finally:
        waggle.close()
