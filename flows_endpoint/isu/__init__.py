"""The isu contract at the wire."""
