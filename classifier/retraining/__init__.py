"""Verifications to data set, run and candidate."""
