"""How drafts fare: accepted, edited, late, without a source."""
