"""From candidate to production: artifacts, aliases, and the model that serves."""
