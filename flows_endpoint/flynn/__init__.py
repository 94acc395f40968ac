"""The flynn contract at the wire."""
