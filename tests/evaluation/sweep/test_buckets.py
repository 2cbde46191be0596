"""A sweep into a bucket of object storage, which another part of this process plays."""

import dataclasses

import pytest

import buckets
import sweeps
from jaxsal.evaluation.sweep.export import status
from jaxsal.evaluation.sweep.store import Store

pytestmark = pytest.mark.usefixtures("no_shape_checks")


def test_a_bucket_holds_what_a_folder_does(tmp_path, monkeypatch):
    sweeps.make_recordings(tmp_path)
    methods = (sweeps.MethodGrid("rise", options={"num_masks": [13]}),)
    local = sweeps.config(tmp_path, methods=methods)
    sweeps.run(local)
    with buckets.serve() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        remote = dataclasses.replace(local, store="gs://bucket/sweep")
        with pytest.raises(FileNotFoundError, match="`store` must hold a sweep; got gs://bucket/sweep"):
            Store(remote.store)
        sweeps.run(remote)
        assert any(name.startswith("sweep/ledgers/") for name in buckets.Bucket.objects)
        sweeps.assert_same(sweeps.contents(remote.store), sweeps.contents(local.store))
        damaged = next(name for name in buckets.Bucket.objects if "/logits/c/1/" in name)
        content, change = buckets.Bucket.objects[damaged]
        buckets.Bucket.objects[damaged] = (content[:9], change + 10_000)
        path = next(name for name in buckets.Bucket.objects if name.endswith("results/c/1/0"))
        del buckets.Bucket.objects[path]
        plan = sweeps.run(remote)
        assert plan.results - plan.results_held == 1
        assert sweeps.run(remote).passes == 0
        assert status(remote, sweeps.toy_groups(remote)).text
