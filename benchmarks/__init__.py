"""`make bench`: every performance figure that the docs quote, as ratios or growth within one run."""
