"""Do one thing with the whole of Waggle, and let go of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from waggle.app import App
from waggle.settings import load_settings

T = TypeVar("T")


def with_app(work: Callable[[App], Awaitable[T]]) -> T:
    """Return what *work* does with what is set here."""
    waggle = App(load_settings())

    async def main() -> T:
        return await work(waggle)

    try:
        return asyncio.run(main())
    finally:
        waggle.close()
