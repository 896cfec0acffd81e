"""The policy of notifying: the tree of routes, grouping, hours, silences and inhibition.

It means what the same words mean in Prometheus Alertmanager; a differential test holds it to that. Where it goes
further, an option says so: an issue that arrives outside the hours of its route is held and not dropped.
"""
