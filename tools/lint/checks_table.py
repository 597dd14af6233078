"""Write docs/checks.md anew from the rules."""

from pathlib import Path

from waggle.services.checks_listed import listed

if __name__ == "__main__":
    (Path(__file__).resolve().parents[2] / "docs" / "checks.md").write_text(listed(), encoding="utf-8")
