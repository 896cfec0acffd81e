"""The daily digest: what yesterday was like, for those who lead a team."""
