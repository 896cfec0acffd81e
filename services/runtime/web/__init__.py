"""What every HTTP application of ours does alike, whatever it is about: methods, bodies, fields, docs, prefixes."""
