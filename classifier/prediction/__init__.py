"""Email to prediction, by the worker."""
