"""Ports of one test's own."""

from contextlib import ExitStack

from waggle.listening import listening


def own_ports() -> dict[str, str]:
    """Return settings, as in the environment, under which API and mailbox meet nobody else on this machine."""
    with ExitStack() as held:
        # All at once, else the same one would be free three times.
        free = [held.enter_context(listening("127.0.0.1", 0, "")).getsockname()[1] for _ in range(3)]
    api, smtp, page = map(str, free)
    return {
        "WAGGLE_API__PORT": api,
        "WAGGLE_API__PUBLIC_URL": f"http://127.0.0.1:{api}",
        "WAGGLE_MAILBOX__SMTP_PORT": smtp,
        "WAGGLE_MAILBOX__PAGE_PORT": page,
        "WAGGLE_SMTP__PORT": smtp,
    }
