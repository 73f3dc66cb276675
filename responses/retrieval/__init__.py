"""Finds the passages that answer an email."""
