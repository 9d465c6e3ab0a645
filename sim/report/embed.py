#!/usr/bin/env python3
"""Makes C++ constants of files: page.css becomes kPageCss. A raw string literal has a length limit in the
standard, so each is a row of shorter ones.

  embed.py OUT FILE...
"""
import pathlib
import sys

CHUNK = 8000
DELIMITER = "page"


def constant(path):
    text = path.read_text(encoding="utf-8")
    if f"){DELIMITER}\"" in text:
        sys.exit(f"{path}: must not contain ){DELIMITER}\"")
    name = "k" + path.stem.capitalize() + path.suffix[1:].capitalize()
    chunks = [text[i:i + CHUNK] for i in range(0, len(text), CHUNK)] or [""]
    body = "\n".join(f'R"{DELIMITER}({chunk}){DELIMITER}"' for chunk in chunks)
    return f"constexpr std::string_view {name} =\n{body};\n"


def main(out, files):
    text = "\n".join(constant(pathlib.Path(file)) for file in files)
    pathlib.Path(out).write_text(text, encoding="utf-8")


main(sys.argv[1], sys.argv[2:])
