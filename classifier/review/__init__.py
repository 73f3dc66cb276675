"""Prediction to verification: the queue, its leases, sampling, and the pages."""
