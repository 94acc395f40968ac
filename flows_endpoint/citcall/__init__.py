"""The citcall contract at the wire."""
