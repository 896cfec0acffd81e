"""What an issue is: its frictions, its life cycle, and its rows. Notifying people is left to `notify`.

The fingerprint
---------------
An issue groups the frictions of one journey of one customer. A friction without a journey is grouped with the frictions
of the same customer and reason. `US` is the character U+001F, and all texts are those of friction v1:

    with a journey:     "waymark.issue.v1" US customer_id US "journey" US journey_id
    without a journey:  "waymark.issue.v1" US customer_id US "reason"  US (reason, or "" if there is none)

The fingerprint is the first 32 hexadecimal digits, in lower case, of the SHA-256 of that text in UTF-8. The fingerprint
of an issue always is that of its own `customer_id`, `journey_id` and `reason`, and at most one unresolved issue has a
given fingerprint.

Which issue a friction is on
----------------------------
The highest revision of a friction counts and older ones are dropped, so order and repetition do not matter. A friction
that stands (that is not retracted) is on exactly one issue:

* the unresolved issue of its fingerprint, if there is one;
* otherwise the latest resolved one, which it reopens, if that was resolved within the reopen window (7 days) and was
not merged into another; a quiet friction does not reopen an issue that a person resolved, but is only added to it; *
otherwise a new issue, the next occurrence of the fingerprint.

A friction whose fingerprint changes (by a merge, an unmerge, or journeys that are joined) moves to the issue of its new
fingerprint. If *all* frictions of an issue move to a fingerprint without an unresolved issue, the issue itself moves:
it keeps its id, its state and its record of notifications. An issue that becomes empty is resolved: as `merged`, with
`merged_into`, if its last friction moved away, and as `retracted` if its last friction was retracted.

A friction whose issue was resolved by a person stays dealt with; only a severity above every earlier one of the issue
reopens it. If such a friction moves alone, it goes to an issue of its new fingerprint that a person resolved too, or to
a new issue that is resolved like the old one. Nobody is notified of that, and no issue ever holds a friction of another
customer.
"""
