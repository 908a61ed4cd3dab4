"""`python -m wellwon`."""

from __future__ import annotations

from wellwon.cli import main

if __name__ == "__main__":
    main()
