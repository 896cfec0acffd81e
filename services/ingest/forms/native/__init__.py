"""Waymark's own form, `POST /v1/touchpoints`: one touchpoint, a list of them, or an envelope around the list.

Hands requests in another form to the `services.ingest.forms.wire_form.WireForm` that claims them.
"""
