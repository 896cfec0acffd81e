"""`waymark journeys`: the definitions of journeys in force, what they were, and putting others in force."""
