"""An app on the SDK's gRPC server, which the sidecar calls by OnInvoke."""

import json
import os

from dapr.ext.grpc import App, InvokeMethodRequest, InvokeMethodResponse

app = App()


@app.method("echo")
def echo(request: InvokeMethodRequest) -> InvokeMethodResponse:
    seen = {key: value for key, value in request.metadata if isinstance(value, str)}
    answer = {
        "got": request.text(),
        "type": request.content_type,
        "sent": seen.get("x-sent"),
        "token": seen.get("dapr-api-token"),
        "caller": seen.get("dapr-caller-app-id"),
    }
    return InvokeMethodResponse(json.dumps(answer), "application/json", headers=(("x-served-by", "grpc_app.py"),))


@app.method("fail")
def fail(_request: InvokeMethodRequest) -> InvokeMethodResponse:
    raise ValueError("no such order")


app.run(int(os.environ["APP_PORT"]))
