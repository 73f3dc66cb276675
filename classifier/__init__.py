"""From raw mail to trusted labels: intake, prediction, review, accuracy, retraining, registry."""
