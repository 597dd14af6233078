"""Use cases shared by API, command line, relay and workers; each call is one transaction."""
