"""`waymark funnels`: how many customers enter each kind of journey, how far they come, and where they are lost."""
