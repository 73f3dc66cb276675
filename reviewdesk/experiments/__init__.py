"""Tests between model versions, where `abtests` meets the models, the traffic and the reviewers."""
