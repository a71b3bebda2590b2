"""Posts a dozen orders to the app called "receiver", with nothing but Python's standard library."""

import json
import os
import time
import urllib.error
import urllib.request

SIDECAR = f"http://127.0.0.1:{os.environ.get('DAPR_HTTP_PORT', '3500')}"
ITEMS = ["tea", "coffee", "cocoa", "milk"]


def wait_for_sidecar():
    """Its API answers at once, and calls go through as soon as it has its certificate."""
    while True:
        try:
            urllib.request.urlopen(f"{SIDECAR}/v1.0/healthz/outbound")
            return
        except urllib.error.URLError:
            time.sleep(0.1)


def send(order):
    request = urllib.request.Request(
        f"{SIDECAR}/v1.0/invoke/receiver/method/orders",
        data=json.dumps(order).encode(),
        headers={
            "content-type": "application/json",
            # A caller may claim what it likes: the receiver learns what its certificate proves.
            "dapr-caller-app-id": "somebody-else",
        },
    )
    with urllib.request.urlopen(request) as response:
        return response.status, json.load(response)


wait_for_sidecar()
for number in range(1, 13):
    order = {"number": number, "item": ITEMS[number % len(ITEMS)], "quantity": number % 3 + 1}
    try:
        status, answer = send(order)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"order {number} was not taken: {error.code} {error.read().decode()}")
    print(f"order {answer['accepted']} was taken with status {status}", flush=True)
