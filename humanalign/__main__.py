"""python -m humanalign: the same as the humanalign command."""

from humanalign.cli import main

main()
