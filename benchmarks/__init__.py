"""Speed and quality, each a command: `python -m benchmarks.NAME --help`. Nothing in talkface imports this."""
