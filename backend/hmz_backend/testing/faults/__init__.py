"""A real client, backend and engine, one of which is killed at a random moment.

```
rig.py         the three processes on a small volume whose tiles are slow enough to be caught
tally.py       model packages that write down every tile that they begin and end
moments.py     when to strike: seeded, by what has happened rather than by the clock
power.py       what a loss of power leaves of files that nobody has synced
synced.py      runs a command that writes down which files it has synced
remains.py     what lies on both sides afterwards: compared byte by byte
trial.py       one kill: strike, start again, compare
```

Linux only: processes are found in `/proc`.
"""
