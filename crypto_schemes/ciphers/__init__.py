"""The only modules that touch ``cryptography``. Each raises its own ValueError subclass."""
