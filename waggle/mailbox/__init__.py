"""A mail server for development: takes every mail for everybody, delivers none, and shows what arrived."""
