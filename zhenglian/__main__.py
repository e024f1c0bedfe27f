"""`python -m zhenglian` is `zl`."""

from zhenglian.cli import main

if __name__ == "__main__":
    main()
