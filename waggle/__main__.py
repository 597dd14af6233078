"""Lets `python -m waggle` be the command `waggle`."""

from waggle.cli import main

main()
