"""What an issue is: its frictions, its life, and the rows that keep it. Leaves telling anybody to `notify`.

The fingerprint, exactly
------------------------
An issue groups the frictions of one customer's one journey; a friction that belongs to no journey is grouped with its
customer's frictions of the same reason. With `US` the character U+001F and all texts as they stand in friction v1:

    with a journey:     "waymark.issue.v1" US customer_id US "journey" US journey_id
    without a journey:  "waymark.issue.v1" US customer_id US "reason"  US (reason, or "" where there is none)

The fingerprint is the first 32 hexadecimal digits, in lower case, of the SHA-256 of that text in UTF-8. At every time
the fingerprint of an issue is the fingerprint of its own `customer_id`, `journey_id` and `reason`, and at most one
unresolved issue has it.

Where a friction goes
---------------------
Of each friction the highest revision counts; everything older is dropped, so order and repetition do not matter. A
friction that stands is on exactly one issue:

* on the unresolved issue of its fingerprint, if there is one;
* else on the latest resolved one, which it reopens, if that was resolved within the reopen window (7 days) and was not
  merged away; to one that a person resolved, a quiet friction is only added;
* else on a new issue, the next occurrence of the fingerprint.

A friction that moves (a merge, an unmerge, a journey joined to another) leaves its issue for the one of its new
fingerprint. When *all* that an issue holds moves to a fingerprint without an unresolved issue, the issue itself moves:
it keeps its id, its state and what people were told. An issue that is left empty is resolved: as `merged`, with
`merged_into`, when the last of its frictions moved away, as `retracted` when the last of them was taken back.

A friction whose issue was resolved by a person stays dealt with; only a severity above all that the issue had brings it
back. If it moves alone, it goes to an issue of its new fingerprint that was resolved by a person too, else to a new one
that is resolved as the old one was: nobody is told, and no issue ever holds a friction of another customer.
"""
