"""`python -m bot` is `wenqu`."""

from bot.cli.commands import main

if __name__ == "__main__":
    main()
