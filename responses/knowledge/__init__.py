"""Files to passages to the index."""
