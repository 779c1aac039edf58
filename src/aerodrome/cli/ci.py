"""Finds out whether the command runs in a continuous integration job, and for which branch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

MARKS: Final = (
    "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "BUILDKITE", "CIRCLECI", "TF_BUILD", "BITBUCKET_BUILD_NUMBER",
    "TEAMCITY_VERSION", "DRONE", "CODEBUILD_BUILD_ID",
)  # fmt: skip
_BRANCHES: Final = (
    "GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "BRANCH_NAME", "BUILDKITE_BRANCH", "CIRCLE_BRANCH",
    "BUILD_SOURCEBRANCHNAME", "BITBUCKET_BRANCH", "DRONE_BRANCH",
)  # fmt: skip


def is_ci(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a usual CI system started this process."""
    said = environment.get("CI", "").lower()
    return said in {"1", "true", "yes"} or any(environment.get(name) for name in MARKS)


def ci_branch(environment: Mapping[str, str] = os.environ) -> str | None:
    """Give the branch that the CI job is for: CI systems check commits out without a branch."""
    return next((environment[name] for name in _BRANCHES if environment.get(name)), None)
