"""An app on FastAPI with the SDK's extension, which the sidecar calls over HTTP."""

import os

import uvicorn
from dapr.ext.fastapi import DaprApp
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

app = FastAPI()
DaprApp(app)
VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@app.api_route("/echo", methods=VERBS)
async def echo(request: Request) -> JSONResponse:
    seen = request.headers
    answer = {
        "got": (await request.body()).decode(),
        "type": seen.get("content-type"),
        "sent": seen.get("x-sent"),
        "token": seen.get("dapr-api-token"),
        "caller": seen.get("dapr-caller-app-id"),
        "verb": request.method,
        "query": request.url.query,
    }
    return JSONResponse(answer, headers={"x-served-by": "http_app.py"})


@app.api_route("/fail/{status}", methods=VERBS)
async def fail(status: int) -> JSONResponse:
    return JSONResponse({"errorCode": "NO_ORDER", "message": "no such order"}, status_code=status)


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["APP_PORT"]))
