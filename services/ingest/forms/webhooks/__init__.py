"""Channel systems' own webhooks: verified on their raw bytes, then mapped to native touchpoints.

`systems/*.yaml` describe one channel system each; a company adds its own in a folder. `mapping` reads these files and
applies them, `signatures` proves that the vendor sent a delivery, `bindings` says which source is which system,
`binding_administration` is what the operator may do with these, and `post_webhook` is the route. Leaves everything that
is done to a touchpoint to `services.ingest.publish`.
"""
