"""Channel systems' own webhooks: verified on their raw bytes, mapped to native touchpoints by what a YAML file says.

`systems/*.yaml` describe one channel system each; a company adds its own in a folder. `system` is the shape of such a
file, `reading` its checks, `signatures` the proof that the vendor sent it, `recipe` the mapping, `webhook` the route.
Leaves everything that is done to a touchpoint to `services.ingest.publish.intake`.
"""
