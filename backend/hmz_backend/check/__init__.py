"""Whether a backend will work as it is set up: one module per subject, looked at side by side.

Nothing here changes anything; what is wrong is said in plain words, together with what to do.
"""
