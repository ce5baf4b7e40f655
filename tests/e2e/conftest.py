# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the whole-suite tests; the work is in tests/support/postern.py."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(__file__)), "support"))

from postern import Instance  # noqa: E402
from queue_instance import Queue  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call":
        item.call_failed = report.failed


@pytest.fixture
def postern_instance(request):
    """A factory of instances, not yet started; each is closed and checked after the test."""
    made = []

    def make(**arguments):
        made.append(Instance(**arguments))
        return made[-1]

    yield make
    problems = []
    for instance in made:
        try:
            instance.close(failed=getattr(request.node, "call_failed", False))
        except AssertionError as e:
            problems.append(str(e))
    if problems:
        pytest.fail("\n".join(problems))


@pytest.fixture
def queue(postern_instance):
    """Starts an instance with agents that follow rules: see queue_instance.py."""
    return lambda *a, **k: Queue(postern_instance, *a, **k).start()
