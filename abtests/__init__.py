"""Which arm serves a unit, and which arm is better."""
