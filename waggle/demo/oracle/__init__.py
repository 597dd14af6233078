"""Knows what every shopper should have received, from what the shop did and from nothing of Waggle's own."""
