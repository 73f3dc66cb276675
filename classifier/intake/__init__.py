"""Bytes in, emails stored: MIME, mbox, eml, csv, jsonl and the API."""
