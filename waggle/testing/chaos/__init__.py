"""Waggle under kills, cuts and lost answers, and what became of its promises."""
