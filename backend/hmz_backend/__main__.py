"""`python -m hmz_backend`: the same as `hmz-backend`."""

from hmz_backend.cli import main

main()
