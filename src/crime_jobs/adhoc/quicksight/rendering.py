"""The template as the file that is committed. It needs PyYAML, of the extra ``dev``; deploying does not."""

from __future__ import annotations

from importlib.resources import files

from crime_jobs.adhoc.quicksight.references import problems
from crime_jobs.adhoc.quicksight.template import template

#: Where the template stands.
PATH = files("crime_jobs.cloud") / "quicksight.yaml"
_HEAD = (
    "# Made by `python -m crime_jobs.adhoc.quicksight`: change crime_jobs.adhoc.quicksight and run that.\n"
)


def rendered() -> str:
    """Return the template's text.

    Returns
    -------
    str
        YAML without aliases, which CloudFormation does not read.

    Raises
    ------
    ValueError
        If a part of it refers to what isn't there.
    """
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
            return True

    made = template()
    wrong = problems(made)
    if wrong:
        raise ValueError("; ".join(wrong))
    return _HEAD + yaml.dump(made, Dumper=Plain, sort_keys=False, width=1_000_000, allow_unicode=True)
