"""One message to a whole segment: recipients per second, and what it costs the engine."""
