"""Clients that remember which operations they called, so that a script can prove that it called all of them."""

import json
import pathlib

import boto3
from botocore.exceptions import ClientError

MODELS = pathlib.Path(__file__).parents[3] / "models"
called = {}


def client(service):
    names = called.setdefault(service, set())
    made = boto3.client(service)
    made.meta.events.register("before-call", lambda model, **_: names.add(model.name))
    return made


def assert_all_called(service, unserved=""):
    """`unserved` are operations whose wire shapes the codec knows but that no handler answers."""
    served = set(json.loads((MODELS / f"{service}.json").read_text())["operations"])
    missing = served - called[service] - set(unserved.split())
    assert not missing, f"{service}: nobody called {sorted(missing)}"


def refused(code, status, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
        return error.response
    raise SystemExit(f"{call.__name__}({arguments}) should be refused with {code}")
