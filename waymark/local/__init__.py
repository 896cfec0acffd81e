"""The local stack that `waymark up` and `waymark demo` run: engines, the five processes, demo keys, supervision.

`plan` says what is to run where, `engines` brings up broker and PostgreSQL, `services` the processes of Waymark,
`stack` puts them together and keeps them alive.
"""
