"""Scenarios: what a journey is to do in a given case, written down, played on a real engine, and compared."""
