# Short names for what CONTRIBUTING.md speaks of; each is a plain command, so just is not needed.
set shell := ["bash", "-euo", "pipefail", "-c"]
bin := ".venv/bin"

# Make everything work from a fresh clone.
init:
    source scripts/environment.sh && environment all test
    {{bin}}/hmz-backend triton install
    {{bin}}/pre-commit install

# The fast tests.
test *options:
    {{bin}}/python -m pytest -m "not slow and not triton and not gui" {{options}}

# All tests, checks included.
test-all *options:
    scripts/test {{options}}

# Checks that need no tests.
lint:
    {{bin}}/ruff check .
    {{bin}}/ruff format --check .
    {{bin}}/lint-imports
    {{bin}}/mypy

# Mend what can be mended by itself.
fix:
    {{bin}}/ruff check --fix .
    {{bin}}/ruff format .

# A backend of this machine, in the foreground.
serve *options:
    {{bin}}/hmz-backend serve {{options}}

# The figures of the design's bars.
bench *options:
    {{bin}}/python -m benchmarks {{options}}

# What changed, from the fragments in docs/changes.
changelog version:
    {{bin}}/towncrier build --version {{version}}
