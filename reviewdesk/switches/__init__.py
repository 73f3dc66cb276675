"""Switches that an admin throws to pause a part of the desk at once."""
