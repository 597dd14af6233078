"""What is set up before anything is measured."""

from pathlib import Path

SEGMENT = "bench-readers"
CAMPAIGN = "bench"

_SEGMENT = """title = "Everybody who agreed"
all = [{ field = "consent", rule = "given", value = "marketing/email" }]
"""
_CAMPAIGN = f"""title = "Bench"
segment = "{SEGMENT}"
template = "campaign-spring-news"
messages_per_minute = 100000000
most_recipients = 10000000
"""


def add_campaign(config_dir: Path) -> None:
    """Add a campaign without a limit to its speed to a copy of the settings."""
    (config_dir / "segments" / f"{SEGMENT}.toml").write_text(_SEGMENT, "utf-8")
    (config_dir / "campaigns" / f"{CAMPAIGN}.toml").write_text(_CAMPAIGN, "utf-8")
