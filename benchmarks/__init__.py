"""Measurements: each is run as `python -m benchmarks.<name> --report FILE`; none belongs to the wheel."""
