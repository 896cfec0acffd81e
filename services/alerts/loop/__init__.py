"""Closing the loop: after a resolution the customer is watched; did they have to come back?"""
