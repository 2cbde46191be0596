"""The revision is that of the code, not of a repository that happens to be around it."""

import subprocess

from jaxsal.core.origin import git_revision


def git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


def test_a_revision_is_of_tracked_code_and_says_whether_it_has_changed(tmp_path):
    package = tmp_path / "env" / "jaxsal"
    package.mkdir(parents=True)
    code = package / "a.py"
    code.write_text("1\n")
    assert git_revision(package) is None
    git(tmp_path, "init")
    (tmp_path / "other.txt").write_text("x")
    git(tmp_path, "add", "other.txt")
    git(tmp_path, "commit", "-m", "another project")
    assert git_revision(package) is None
    git(tmp_path, "add", "-f", str(code))
    git(tmp_path, "commit", "-m", "code")
    git(tmp_path, "tag", "v1")
    clean = git_revision(package)
    assert len(clean) == 40
    code.write_text("2\n")
    assert git_revision(package) == clean + "+dirty"
