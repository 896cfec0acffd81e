"""The file of the policy: what it may say, where something is wrong in it, and the policy that it makes."""
