"""What the commands share: the two consoles, common options, JSON on standard output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Corpus = Annotated[Path | None, typer.Option("--corpus", help="文章文件夹 / folder with the articles")]
IndexFolder = Annotated[Path | None, typer.Option("--index", help="索引文件夹 / folder of the index")]
AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]


def print_json(value: object) -> None:
    """Write a value as JSON; half characters become question marks."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "replace").decode() + "\n")
