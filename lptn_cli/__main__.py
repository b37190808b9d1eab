"""`python -m lptn_cli` is `lptn`."""

from lptn_cli.cli import main

main()
