"""Pages for those who work with Waggle: rendered here, readable without script, usable on a phone."""

from waggle.console.routes import console_routes

__all__ = ["console_routes"]
