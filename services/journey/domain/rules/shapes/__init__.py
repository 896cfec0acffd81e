"""The shapes of a rule, a module each: its members, what is wrong with them, its placeholders, its evaluator."""
