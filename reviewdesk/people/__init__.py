"""Who works at the desk: users, roles, departments they may see, API tokens."""
