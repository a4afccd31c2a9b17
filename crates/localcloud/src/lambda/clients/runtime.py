"""Runs a Python handler over the Lambda runtime API, for the embedded cloud. Usage: python3 runtime.py"""
import http.client
import importlib
import json
import os
import sys
import time
import traceback

root = os.environ["LAMBDA_TASK_ROOT"]
sys.path[0] = root
sys.stdout.reconfigure(line_buffering=True)
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def call(method, resource, body=None, headers=None):
    try:
        connection.request(method, "/2018-06-01/runtime" + resource, body, headers or {})
        response = connection.getresponse()
        return response.headers, response.read()
    except (OSError, http.client.HTTPException):
        # The server is gone: nothing is left to do for this process.
        os._exit(0)


def describe(error):
    trace = traceback.format_exception(type(error), error, error.__traceback__)
    return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": trace[1:]})


class Context:
    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.client_context = None
        self.identity = None
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(self._deadline - int(time.time() * 1000), 0)


def load():
    module, _, name = os.environ["_HANDLER"].rpartition(".")
    return getattr(importlib.import_module(module.replace("/", ".")), name)


try:
    handler = load()
except BaseException as error:  # noqa: B902 - whatever keeps the module from loading is reported
    traceback.print_exc()
    call("POST", "/init/error", describe(error), {"Lambda-Runtime-Function-Error-Type": type(error).__name__})
    sys.exit(1)

while True:
    headers, body = call("GET", "/invocation/next")
    os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id", "")
    context = Context(headers)
    try:
        kind, answer = "response", json.dumps(handler(json.loads(body), context))
    except Exception as error:
        traceback.print_exc()
        kind, answer = "error", describe(error)
    sys.stdout.flush()
    call("POST", f"/invocation/{context.aws_request_id}/{kind}", answer.encode())
