"""What is said of a server that cannot be reached."""

import pytest

from waggle.errors import TemporaryFailure
from waggle.storage.store import open_store


@pytest.mark.parametrize(
    ("url", "said_so"),
    [
        (
            "postgresql://waggle:hunter2@127.0.0.1:9/shop-facts",
            "PostgreSQL on 127.0.0.1, port 9, database shop-facts: it does not answer; is it running?",
        ),
        (
            "postgresql://waggle:hunter2@db.invalid/shop-facts?sslmode=require",
            "PostgreSQL on db.invalid, port 5432, database shop-facts: no host of that name is known",
        ),
        (
            "postgresql://waggle:hunter2@/shop-facts?host=/nowhere&port=9",
            "PostgreSQL on /nowhere, port 9, database shop-facts: it does not answer; is it running?",
        ),
    ],
)
def test_a_server_that_cannot_be_reached_is_named_without_user_and_password(url: str, said_so: str) -> None:
    with pytest.raises(TemporaryFailure, match="DATABASE_UNREACHABLE") as error:
        open_store(url)

    assert error.value.message == said_so
    assert "hunter2" not in str(error.value)
    assert "waggle" not in error.value.message
