"""Hands e-mails to mail servers, behind the same guard as HTTP."""
