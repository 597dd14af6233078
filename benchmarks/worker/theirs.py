"""The clients `pyzeebe-polling` and `pyzeebe-streaming`: its worker with its defaults, as a process of its own."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyzeebe import Job, ZeebeWorker, create_insecure_channel

from benchmarks.worker.calls import CallLog
from benchmarks.worker.given import Given, parser, read


def blocking(log: CallLog, block_s: float) -> Callable[..., Any]:
    """Return a handler that blocks a thread: pyzeebe runs it in the loop's pool."""

    def handler(job: Job, journey_id: str) -> dict[str, Any]:
        time.sleep(block_s)
        log.note(journey_id, job.element_id)
        return {}

    return handler


def at_once(log: CallLog) -> Callable[..., Any]:
    """Return a handler that returns at once."""

    async def handler(job: Job, journey_id: str) -> dict[str, Any]:
        log.note(journey_id, job.element_id)
        return {}

    return handler


async def main(asked: Given, *, stream: bool) -> None:
    """Work until ended by a signal: pyzeebe has no drain that ends under load."""
    log = CallLog(asked.calls)
    if asked.block_s:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(asked.at_once))
    # A proxy set for the machine cannot reach the machine's own loopback.
    channel = create_insecure_channel(grpc_address=asked.address, channel_options=(("grpc.enable_http_proxy", 0),))
    worker = ZeebeWorker(channel, name="pyzeebe", stream_enabled=stream)
    for task_type in asked.task_types:
        handler = blocking(log, asked.block_s) if asked.block_s else at_once(log)
        worker.task(task_type, variables_to_fetch=["journey_id"], timeout_ms=round(asked.lease_s * 1000))(handler)
    await worker.work()


if __name__ == "__main__":
    options = parser("benchmarks.worker.theirs")
    options.add_argument("--stream", action="store_true")
    chosen = options.parse_args()
    asyncio.run(main(read(chosen), stream=chosen.stream))
