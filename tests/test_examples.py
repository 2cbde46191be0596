"""The examples in docstrings say what comes out."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import jaxsal


def _documented():
    """Every function and method of the package that has an example, by its full name."""
    found = {}
    for module in pkgutil.walk_packages(jaxsal.__path__, "jaxsal."):
        for name, thing in vars(importlib.import_module(module.name)).items():
            if getattr(thing, "__module__", None) != module.name:
                continue
            members = vars(thing).items() if inspect.isclass(thing) else ()
            for title, member in ((name, thing), *((f"{name}.{part}", member) for part, member in members)):
                member = getattr(member, "__func__", member)
                text = inspect.cleandoc(getattr(member, "__doc__", None) or "")
                if callable(member) and ">>> " in text:
                    found[f"{module.name}.{title}"] = text
    return found


EXAMPLES = _documented()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_gives_what_it_shows(name):
    test = doctest.DocTestParser().get_doctest(EXAMPLES[name], {}, name, None, None)
    assert test.examples
    report = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    assert not report, "".join(report)


def test_every_public_name_has_one():
    names = [name for name in jaxsal.__all__ if name not in ("Curve", "Explanation", "SpectrumShares", "models")]
    assert [name for name in names if f"{getattr(jaxsal, name).__module__}.{name}" not in EXAMPLES] == []
