"""`jaxsal rank`: the tables of a small set, and that a second run computes nothing."""

import runs


def test_a_second_run_computes_nothing(run, dry_run, run_folder, tmp_path, monkeypatch):
    recordings = runs.save_recordings(tmp_path / "data")
    words = ["rank", "--checkpoint", run_folder, "--data", recordings, "--spectra", "TV", "--output", tmp_path / "out"]
    words += ["--method", "gradcam", "rise", "shapley", "--controls", "smooth", "--measure", "gini", "entropy"]
    words += ["--num-masks", 12, "--num-steps", 3, "--grid-shape", 1, 2, 2]
    before = dry_run(*words)
    assert (before["clips"], before["clips_done"]) == (6, 0)
    assert before["passes"] > 0

    first = run(*words)
    assert "deletion ↓ mean ± std [95 %]" in first
    assert "| Shapley values |" in first
    assert set(before["files"]) == {path.name for path in (tmp_path / "out").iterdir()} - {"ranking.lock"}

    monkeypatch.setattr("jaxsal.evaluation.runner.do_batch", None)  # which any pass goes through
    after = dry_run(*words)
    assert (after["clips_done"], after["passes"]) == (6, 0)
    assert run(*words) == first
