"""Does, with Dapr's SDK, what its argument says as JSON, step by step, and prints what came of it as JSON."""

import json
import sys
import warnings

import grpc
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError, DaprHttpError

# The SDK calls some of what is tried here deprecated.
warnings.simplefilter("ignore")


def invoke(client, step):
    answer = client.invoke_method(
        step["app"],
        step["method"],
        data=step.get("data", ""),
        content_type=step.get("type"),
        metadata=tuple(step["headers"].items()) if "headers" in step else None,
        http_verb=step.get("verb", "POST"),
        http_querystring=tuple(step.get("query", {}).items()),
    )
    headers = {name.lower(): [str(value) for value in values] for name, values in answer.headers.items()}
    return {"text": answer.text(), "type": answer.content_type, "status": answer.status_code, "headers": headers}


def metadata(client, _step):
    found = client.get_metadata()
    return {"id": found.application_id, "extended": found.extended_metadata}


DOES = {
    "invoke": invoke,
    "metadata": metadata,
    "set": lambda client, step: client.set_metadata(step["key"], step["value"]) and {},
    "shutdown": lambda client, _step: client.shutdown() and {},
}


def failure(error):
    if isinstance(error, DaprHttpError):
        raw = (error.raw_response_bytes or b"").decode()
        return {"status": error.status_code, "code": error.error_code, "message": error.message, "raw": raw}
    told = error if isinstance(error, DaprGrpcError) else DaprGrpcError(error)
    info = told.status_details().error_info or {}
    return {"status": told.code().name, "code": told.error_code(), "message": told.details(), "info": info.get("metadata")}


def attempt(client, step):
    try:
        return DOES[step["do"]](client, step)
    except (DaprHttpError, grpc.RpcError) as error:
        return {"failure": failure(error)}


# Made here, it waits until the sidecar is ready.
with DaprClient() as made:
    print("OUTCOMES " + json.dumps([attempt(made, step) for step in json.loads(sys.argv[1])]), flush=True)
