"""`collect.py --report FILE`: a finished document, or one clear line."""

import io
from functools import cache
from html import escape

import msgspec
import pytest
from pypdf import PdfReader

from tests.conftest import PATIENCE_S
from tests.report.made_up import HOMEWORK, failed, result, write

pytestmark = pytest.mark.long

HOSTILE = "node|1 #let x = $1$ <script>alert(1)</script> =1+1 узел 节点"


@pytest.fixture
def report(run, tmp_path):
    """Write a report of the results in this folder; the process and the file's content."""

    def report(name="report.pdf", *arguments):
        done = run("collect.py", "--results", tmp_path / "r", "--report", tmp_path / name,
                   *arguments)  # fmt: skip
        path = tmp_path / name
        return done, path.read_bytes() if path.is_file() else None

    return report


def on_host(given, host):
    environment = msgspec.structs.replace(given.environment, host=host)
    return msgspec.structs.replace(given, environment=environment)


def text_of(pdf):
    return " ".join(
        " ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(pdf)).pages
    )


@pytest.fixture(scope="module")
def homework(tmp_path_factory):
    """A folder with every case of the homework, measured."""
    folder = tmp_path_factory.mktemp("homework")
    made = [
        result(task, step_s=0.01 * changes.get("depth", 20), **changes)
        for task in HOMEWORK
        for changes in GRID[task]
    ]
    write(folder / "r", "slurm", *made)
    return folder


GRID = {
    "task1": [{}],
    "task2": [{"depth": depth} for depth in (6, 12, 24)],
    "task3": [{"gpus": gpus} for gpus in (1, 2, 3, 4, 5)],
    "task4": [{"gpus": gpus} for gpus in (2, 5)],
    "task5": [{"gpus": gpus} for gpus in (2, 5)],
}


@pytest.fixture(scope="module")
def whole(homework, preloaded):
    """Write a report of them, once of each format unless it is to be made `again`."""

    @cache
    def whole(name, again=False):
        path = homework / f"again-{name}" if again else homework / name
        command = ["collect.py", "--results", f"{homework / 'r'}", "--report", f"{path}"]
        done = preloaded().run(command, PATIENCE_S)
        return done, path.read_bytes()

    return whole


def test_the_pdf_holds_the_five_tasks_with_figures_tables_answers_and_code(whole):
    done, pdf = whole("report.pdf")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = text_of(pdf)
    for task in range(1, 6):
        assert f"Task {task}: " in text
    assert "5 × NVIDIA A100" in text
    assert "0 failed" not in text
    assert "No, it makes no difference." in text
    assert "def __init__(self, dim, depth" in text
    assert "Figure 8" in text


@pytest.mark.parametrize("name", ["report.pdf", "report.html"])
def test_the_same_results_give_the_same_bytes(whole, name):
    assert whole(name)[1] == whole(name, again=True)[1]


def test_the_html_holds_them_too_and_needs_nothing_else(whole):
    done, page = whole("report.html")
    assert done.returncode == 0, done.stderr
    text = page.decode()
    assert text.count("<svg") >= 8
    assert "No, it makes no difference." in text
    assert "http://" not in text
    assert "https://" not in text


@pytest.mark.parametrize("name", ["report.pdf", "report.html"])
def test_without_a_measurement_the_document_says_so(report, tmp_path, name):
    write(tmp_path / "r", "slurm", failed(gpus=2), failed(gpus=5))
    done, content = report(name, "--grid", "task4")
    assert done.returncode == 1
    assert content is not None
    text = text_of(content) if name.endswith("pdf") else content.decode()
    assert "no case has been measured" in text
    assert "2 failed" in text


@pytest.mark.parametrize("name", ["report.pdf", "report.html"])
def test_markup_in_a_host_name_is_text(report, tmp_path, name):
    write(tmp_path / "r", "slurm", on_host(result(gpus=2), HOSTILE), result(gpus=5))
    done, content = report(name, "--grid", "task4")
    assert done.returncode == 0, done.stderr
    text = text_of(content) if name.endswith("pdf") else content.decode()
    assert "<script>alert" not in text or name.endswith("pdf")
    assert "node|1 #let x = $1$" in text
    assert "узел" in text


@pytest.mark.parametrize("name", ["report.pdf", "report.html"])
def test_a_case_with_a_single_step_is_shown_without_an_interval(report, tmp_path, name):
    write(tmp_path / "r", "slurm", result(gpus=2, steps_s=[0.1]), result(gpus=5))
    done, content = report(name, "--grid", "task4")
    assert done.returncode == 0, done.stderr
    text = text_of(content) if name.endswith("pdf") else content.decode()
    assert "100 ms (–)" in text.replace("<wbr/>", "")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("report.doc", "is neither .pdf nor .html"),
        ("missing/report.pdf", "cannot be written: No such file or directory"),
        (".", "is neither .pdf nor .html"),
    ],
)
def test_a_report_that_cannot_be_written_is_one_line_and_exit_code_2(report, name, complaint):
    done, _ = report(name)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_report_stands_alone(report):
    done, _ = report("report.pdf", "--format", "csv")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


NAME = '#let x = $1$ <b>Ada</b> "|" `узел` & Söhne \\ *'


def test_author_and_title_stand_in_the_pdf_as_they_were_given(report, tmp_path):
    write(tmp_path / "r", "slurm", result(gpus=2), result(gpus=5))
    done, pdf = report("report.pdf", "--grid", "task4", "--author", NAME, "--title", f"My {NAME}")
    assert done.returncode == 0, done.stderr
    reader = PdfReader(io.BytesIO(pdf))
    assert (reader.metadata.author, reader.metadata.title) == (NAME, f"My {NAME}")
    assert f"Author {NAME}" in text_of(pdf)
    assert f"My {NAME}" in text_of(pdf)


def test_author_and_title_stand_in_the_html_as_they_were_given(report, tmp_path):
    write(tmp_path / "r", "slurm", result(gpus=2), result(gpus=5))
    done, page = report("report.html", "--grid", "task4", "--author", NAME, "--title", f"My {NAME}")
    assert done.returncode == 0, done.stderr
    text = page.decode()
    assert f'<meta name="author" content="{escape(NAME)}"/>' in text
    assert f"<title>My {escape(NAME)}</title>" in text
    assert f"<dt>Author</dt><dd>{escape(NAME)}</dd>" in text
    assert f"<h1>My {escape(NAME)}</h1>" in text
    assert "<b>Ada" not in text


def test_without_an_author_the_title_block_has_none(report, tmp_path):
    write(tmp_path / "r", "slurm", result(gpus=2), result(gpus=5))
    done, page = report("report.html", "--grid", "task4")
    assert done.returncode == 0, done.stderr
    assert "author" not in page.decode().casefold()


@pytest.mark.parametrize("option", ["--author", "--title"])
def test_an_author_or_a_title_needs_a_report_to_stand_in(run, tmp_path, option):
    done = run("collect.py", "--results", tmp_path, option, "Ada")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (f"error: {option}: needs --report FILE or --hand-in DIR\n")


@pytest.mark.parametrize("option", ["--author", "--title"])
def test_an_empty_author_or_title_is_one_line_and_exit_code_2(report, option):
    done, content = report("report.pdf", option, " \n")
    assert (done.returncode, content) == (2, None)
    assert done.stderr == f"error: {option}: ' \\n' is empty\n"
