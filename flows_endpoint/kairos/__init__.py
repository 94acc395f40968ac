"""The kairos contract at the wire."""
