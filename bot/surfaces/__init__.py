"""The ways in, one file each: verify, parse, ask the bot, render. No retrieval logic lives here."""
