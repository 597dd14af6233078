"""What an installation sets, in the words of the services that go by it."""

import pytest

from waggle.settings import load_settings
from waggle.wiring.rules import messages_together


@pytest.mark.parametrize(
    ("url", "together"), [("sqlite:///waggle.db", True), ("postgresql://waggle@127.0.0.1/waggle", False)]
)
def test_messages_share_a_transaction_only_where_the_database_has_one_writer(url: str, *, together: bool) -> None:
    settings = load_settings({"WAGGLE_DATABASE__URL": url})

    assert (messages_together(settings) > 1) is together
