import os
import signal

import pytest

from tests.cli.place import Place, started, until

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
async def test_a_simulation_that_is_ended_takes_its_engine_with_it(place: Place, number: signal.Signals) -> None:
    async with started(place, "simulate", "customer-objection") as playing:
        await playing.says("Starting the broker")
        await until(lambda: len(place.brokers()) == 1)
        os.kill(playing.pid, number)

        assert await playing.ended() == 130
        assert place.processes() == {}
        assert "Traceback" not in playing.said


async def test_one_that_was_started_with_ctrl_c_ignored_is_ended_by_sigterm_all_the_same(place: Place) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for what runs in the background
    try:
        async with started(place, "simulate", "customer-objection") as playing:
            signal.signal(signal.SIGINT, before)
            await playing.says("Starting the broker")
            await until(lambda: len(place.brokers()) == 1)
            os.kill(playing.pid, signal.SIGTERM)

            assert await playing.ended() == 130
            assert place.processes() == {}
    finally:
        signal.signal(signal.SIGINT, before)
