"""Journeys of accounts: what all touchpoints that name one account come to, whoever they are of."""
