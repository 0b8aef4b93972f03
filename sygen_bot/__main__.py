"""`python -m sygen_bot` is the `sygen` command."""

from sygen_bot.cli.app import main

if __name__ == "__main__":
    main()
