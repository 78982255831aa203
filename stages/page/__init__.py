"""A version's page: one HTML file that needs no network. facts counts, samples chooses, pictures shrinks, charts draws.

Whatever comes from the data (names of classes and files, findings) is text: the template escapes it everywhere.
"""
