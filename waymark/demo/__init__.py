"""`waymark demo`: an hour at a Korean retailer, sent to a real stack, with the alerts verified as they arrive.

`retailer` invents the hour, `cast` the people in it, `receiver` is a support team's webhook, `story` tells what happens
in the terminal, `play` puts them together.
"""
