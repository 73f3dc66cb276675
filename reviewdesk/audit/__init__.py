"""Who did what, when, to which object."""
