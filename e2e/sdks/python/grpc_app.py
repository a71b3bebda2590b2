"""An app on the SDK's gRPC server, which the sidecar calls by OnInvoke."""

import json
import os

from dapr.ext.grpc import App, InvokeMethodRequest, InvokeMethodResponse

app = App()


@app.method("echo")
def echo(request: InvokeMethodRequest) -> InvokeMethodResponse:
    def sent(name: str) -> str | None:
        return request.metadata.get(name, [None])[0]

    answer = {
        "got": request.text(),
        "type": request.content_type,
        "sent": sent("x-sent"),
        "token": sent("dapr-api-token"),
        "caller": sent("dapr-caller-app-id"),
    }
    return InvokeMethodResponse(json.dumps(answer), "application/json", headers=(("x-served-by", "grpc_app.py"),))


@app.method("fail")
def fail(_request: InvokeMethodRequest) -> InvokeMethodResponse:
    raise ValueError("no such order")


app.run(int(os.environ["APP_PORT"]))
