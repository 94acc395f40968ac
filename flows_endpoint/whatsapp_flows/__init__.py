"""The whatsapp_flows contract at the wire."""
