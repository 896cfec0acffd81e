"""Rules as files: the shipped ones, an operator's own, and how they are read. What rules mean is left to the domain."""
