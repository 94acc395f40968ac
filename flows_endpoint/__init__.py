"""The wire: one pipeline for all contracts, and one folder for each."""
