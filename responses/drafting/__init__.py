"""Passages to a proposed reply that says nothing they do not say."""
