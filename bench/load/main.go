// The two ends of every measurement, in one program: `load app` is called, and `load load` calls. Both are cheap beside what is
// measured between them: one processor each, raw sockets, and no allocation per call that matters.
//
// What each is told and what it answers is in ../load-order.ts. Both end when their standard input does, for then whoever started
// them is gone.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
)

func main() {
	// One processor and one thread that matters: idle threads of Go's scheduler look for work, and that work is the pairs'.
	runtime.GOMAXPROCS(1)
	switch {
	case len(os.Args) == 2 && os.Args[1] == "app":
		serveApp()
	case len(os.Args) == 2 && os.Args[1] == "load":
		serveOrders()
	default:
		fmt.Fprintln(os.Stderr, "usage: load app | load load")
		os.Exit(64)
	}
}

func serveApp() {
	ports, err := startApp()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	tell(ports)
	io.Copy(io.Discard, os.Stdin)
}

func serveOrders() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			tell(message{Kind: "failed", Reason: err.Error()})
			continue
		}
		result, err := measure(o)
		if err != nil {
			tell(message{Kind: "failed", Reason: err.Error()})
			continue
		}
		tell(message{Kind: "measured", Result: result})
		// Before the next measurement, and not during it.
		runtime.GC()
	}
}

// tell writes one line of JSON.
func tell(value any) {
	json.NewEncoder(os.Stdout).Encode(value)
}
