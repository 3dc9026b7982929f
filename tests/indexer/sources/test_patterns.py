"""Which paths a folder pattern means."""

import pytest

from indexer.sources.patterns import matches


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("leads/**", ["leads/a.md", "leads/b/c.md"], ["leads.md", "x/leads/a.md", "leadsx/a.md"]),
        ("**/hr/*", ["hr/a.md", "x/y/hr/a.md"], ["hr/b/a.md", "xhr/a.md"]),
        ("*.md", ["a.md"], ["b/a.md", "amd", "a.mdx"]),
        ("a?[b]/**", ["ax[b]/c"], ["axb/c", "a/[b]/c"]),
    ],
)
def test_stars_mean_names_and_double_stars_folders(
    pattern: str, fits: list[str], does_not: list[str]
) -> None:
    assert all(matches(path, pattern) for path in fits)
    assert not any(matches(path, pattern) for path in does_not)
