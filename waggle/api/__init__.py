"""ASGI routes: they translate HTTP to services and hold no rules."""
