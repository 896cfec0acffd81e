"""Rehearses a policy of identity: what the stored customers would be if it had judged everything. Writes nothing."""
