"""How a customer feels, computed from what the customer wrote: word lists for Korean and English, and who reads them.

Pure, but for reading the files.
"""
