"""Ours against other worker clients, on one broker, under one driver."""
