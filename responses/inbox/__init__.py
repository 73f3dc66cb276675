"""The agent's pages: list, thread, reply."""
