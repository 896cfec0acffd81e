"""`waymark customer`: one customer's story in the terminal, told from the journey API.

`customer_reading` asks, `customer_story` makes sentences, `customer_command` prints them.
"""
