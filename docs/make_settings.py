"""Writes docs/settings.md from .env.example."""

from pathlib import Path

ROOT = Path(__file__).parent.parent


def page() -> str:
    """The settings page: one table a section."""
    lines = [
        "# Settings",
        "",
        "Every environment variable the desk reads; also in a file `.env` in the project's folder.",
        "",
    ]
    comment: list[str] = []
    for line in (ROOT / ".env.example").read_text().splitlines()[3:]:
        if line.startswith("# --- "):
            lines += [
                "",
                f"## {line.removeprefix('# --- ')}",
                "",
                "| variable | default | what it does |",
                "|---|---|---|",
            ]
        elif line.startswith("# "):
            comment.append(line[2:])
        elif "=" in line:
            name, _, value = line.partition("=")
            lines.append(f"| `{name}` | {f'`{value}`' if value else 'empty'} | {' '.join(comment)} |")
            comment = []
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "settings.md").write_text(page())
