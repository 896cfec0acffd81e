"""`waymark identity`: checks who is who against the ledger of links, and reports each difference."""
