"""The notifier of e-mail, as a message with text and HTML."""
