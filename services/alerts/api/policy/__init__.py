"""The resources of the policy: silences, inhibition, explanations."""
