"""Nothing in the code runs what lies in a file: no pickles, no eval."""

from __future__ import annotations

import ast

from conftest import ROOT


def unsafe(tree: ast.Module) -> list[str]:
    """What could run code that lies in a file: modules that unpickle, and calls."""
    modules = {"pickle", "marshal", "shelve", "joblib", "dill", "cloudpickle"}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in modules]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in modules:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in ("eval", "exec", "compile", "torch.load", "__import__"):
                found.append(name)
            allowed = [key for key in node.keywords if key.arg in ("allow_pickle", "trust_remote_code")]
            found += [str(key.arg) for key in allowed if ast.unparse(key.value) != "False"]
    return found


def test_nothing_unpickles_or_evaluates():
    files = {path: unsafe(ast.parse(path.read_text(encoding="utf-8"))) for path in (ROOT / "bot").rglob("*.py")}
    assert len(files) > 60
    assert {str(path): found for path, found in files.items() if found} == {}


def test_the_check_itself_finds_what_is_unsafe():
    code = "from pickle import loads\nimport joblib.x\neval('1')\nnumpy.load(f, allow_pickle=True)\ntorch.load(f)"
    assert len(unsafe(ast.parse(code))) == 5
    assert unsafe(ast.parse("re.compile('x')")) == []
