"""Verifications to figures: estimates with their interval."""
