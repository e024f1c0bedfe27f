"""`python -m zhenglian` is `zl`."""

from zhenglian.cli import main

main()
