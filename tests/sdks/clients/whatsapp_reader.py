"""Prints what pywa, a library for the WhatsApp Cloud API, reads of the messages in a delivery of Meta's (on stdin)."""

import json
import sys

from pywa import WhatsApp, types  # type: ignore[import-not-found]  # its own environment

client = WhatsApp(token="none", phone_id="none")
told = json.load(sys.stdin)
found = []
for entry in told["entry"]:
    for change in entry["changes"]:
        for message in change["value"]["messages"]:
            one = {**change, "value": {**change["value"], "messages": [message]}}  # it reads the first of them
            read = types.Message.from_update(client, {**told, "entry": [{**entry, "changes": [one]}]})
            who = {"phone": read.from_user.wa_id, "social": read.from_user.bsuid}
            found.append({"id": read.id, "type": read.type.value, "at": read.timestamp.timestamp(), **who})
json.dump(found, sys.stdout)
