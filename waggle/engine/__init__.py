"""The only place that knows Zeebe and pyzeebe."""
