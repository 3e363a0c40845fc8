"""What the documents say is there, is there."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from study.outcome import OUTCOMES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLE = "docs/example/grids"
OWN = ("schedules", "gpt", "gpt-batch", "pipelines", "graphs")
SAMPLE = ("homework", *(f"{EXAMPLE}/{name}.yaml" for name in OWN))
PARTS = ("study", "predict", "jobs", "mp", "report")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document):
    links = re.findall(r"\]\((?!http)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_paths_named_in_the_documents_exist():
    """Every word in backquotes that begins like a path of ours; the changelog names old ones."""
    parts = "study|predict|jobs|mp|report|tests|benchmarks|docs"
    named = {
        (document.name, name)
        for document in DOCUMENTS
        if document.name != "CHANGELOG.md"
        for name in re.findall(rf"`((?:{parts})/[\w/.]*)`", document.read_text())
    }
    assert len(named) > 50
    assert [one for one in sorted(named) if not (ROOT / one[1]).exists()] == []


def test_every_folder_has_a_row_in_the_design():
    text = (ROOT / "docs/design.md").read_text()
    folders = {path.parent for part in PARTS for path in (ROOT / part).rglob("*.py")}
    rows = set(re.findall(r"`([\w/]+)/`", "".join(re.findall(r"^\| `.*?\|", text, re.MULTILINE))))
    assert rows == {str(folder.relative_to(ROOT)) for folder in folders}


def test_tests_named_in_the_table_of_faults_exist():
    source = "".join(path.read_text() for path in ROOT.glob("tests/slurm/test_*.py"))
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs/faults.md").read_text())
    assert named
    assert [name for name in named if f"def {name}(" not in source] == []


def test_every_outcome_stands_in_the_table_of_outcomes():
    text = (ROOT / "docs/faults.md").read_text()
    assert [outcome for outcome in OUTCOMES if f"`{outcome}`" not in text] == []


def test_options_named_in_the_documents_are_known(run):
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", _commands_of_ours()))
    known = set(re.findall(r"--[a-z][a-z-]+", run("submit.py", "--help").stdout))
    known |= set(re.findall(r"--[a-z][a-z-]+", run("collect.py", "--help").stdout))
    known |= set(re.findall(r"--[a-z][a-z-]+", run("-m", "mp", "--help").stdout))
    known |= set(re.findall(r"--[a-z][a-z-]+", run("-m", "predict", "--help").stdout))
    assert named
    assert named <= known


def _commands_of_ours():
    text = "".join(path.read_text() for path in DOCUMENTS if path.name != "CHANGELOG.md")
    text = text.replace("\\\n", " ")  # a command of several lines
    ours = r"python (?:submit|collect)\.py[^`\n]*|python -m (?:mp|predict)[^`\n]*"
    return "\n".join(re.findall(ours, text))


GRIDS_IN_DOCUMENTS = [
    (document.name, block)
    for document in DOCUMENTS
    for block in re.findall(r"^```yaml\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)
    if "\naxes:" in block
]


@pytest.mark.parametrize(("name", "block"), GRIDS_IN_DOCUMENTS)
def test_a_grid_in_a_document_can_be_submitted(name, block, run, tmp_path):
    grid = tmp_path / "my.yaml"
    grid.write_text(block)
    where = ("--cluster", "slurm", "--results", tmp_path / "results", "--dry-run")
    done = run("submit.py", "--grid", grid, *where)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_profile_in_the_readme_is_that_of_cluster_yaml():
    block = re.search(r"^```yaml\n(course:.*?)^```", README, re.MULTILINE | re.DOTALL)
    profiles = yaml.safe_load((ROOT / "cluster.yaml").read_text())["profiles"]
    assert yaml.safe_load(block[1]) == {"course": profiles["course"]}


def test_the_readme_is_short_and_names_the_torch_that_is_installed():
    assert len(README.split()) <= 1100
    version = re.search(r"torch==([\d.]+)", (ROOT / "requirements-torch.txt").read_text())[1]
    assert f"torch {version}" in README


def test_every_page_of_the_documents_is_reached_from_the_readme():
    pages = {f"docs/{path.name}" for path in ROOT.glob("docs/*.md")}
    assert sorted(page for page in pages if page not in README) == []


def test_the_changelog_begins_with_the_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[headings[0] == "Unreleased"] == version


def test_the_sample_report_can_be_made_from_its_results(run, tmp_path):
    report = tmp_path / "report.pdf"
    page = (ROOT / "docs/example/README.md").read_text()
    assert all(f"--grid {name}" in page for name in SAMPLE)
    grids = [word for name in SAMPLE for word in ("--grid", name)]
    done = run("collect.py", *grids, "--results", "docs/example/results", "--report", report)
    # Two batches ran out of memory, as they should; one pipeline was cancelled.
    assert done.stderr == "note: rows without a measurement: 3; each says why\n"
    assert done.returncode == 1
    assert report.read_bytes().startswith(b"%PDF")
    said = run("collect.py", *grids, "--results", "docs/example/results").stdout
    said, page = (re.sub(r"\s+", " ", text) for text in (said, page.partition("![")[2]))
    cited = re.findall(r'"([A-Z][^"]{20,})"', page)
    assert len(cited) > 5
    assert [text for text in cited if text not in said] == []
