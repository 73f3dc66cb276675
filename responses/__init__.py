"""From knowledge to sent replies: retrieval, drafting, the inbox, sending."""
