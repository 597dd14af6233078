"""What a person is told of where everything is."""

from pathlib import Path

from waggle.app import App
from waggle.installation import Installation
from waggle.settings import load_settings
from waggle.supervisor import Supervisor


def addresses(here: Path, **environment: str) -> dict[str, str]:
    given = {"WAGGLE_ENGINE__ADDRESS": "127.0.0.1:26500", **environment}
    app = App(load_settings(given, here=here))
    return dict(Installation(app, keeper=None, deployed=[], supervisor=Supervisor([], here / "logs")).addresses)


def test_the_api_is_said_to_be_where_it_listens(tmp_path: Path) -> None:
    found = addresses(tmp_path, WAGGLE_API__PORT="9000")

    assert found["API"] == "http://127.0.0.1:9000"
    assert "Links in messages" not in found


def test_where_links_lead_is_said_too_if_that_is_somewhere_else(tmp_path: Path) -> None:
    found = addresses(tmp_path, WAGGLE_API__PORT="9000", WAGGLE_API__PUBLIC_URL="https://go.shop.example")

    assert found["API"] == "http://127.0.0.1:9000"
    assert found["Links in messages"] == "https://go.shop.example"
