"""The outbox: approved replies leave once, threaded, after an undo window."""
