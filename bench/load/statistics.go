// What many latencies come to.

package main

import (
	"math"
	"slices"
	"time"
)

// percentilesOf sorts what it is given. Nearest rank: each is a value that was measured.
func percentilesOf(values []time.Duration) percentiles {
	if len(values) == 0 {
		return percentiles{}
	}
	slices.Sort(values)
	at := func(percent float64) float64 {
		rank := max(1, int(math.Ceil(percent/100*float64(len(values)))))
		return float64(values[rank-1].Nanoseconds()) / 1000
	}
	return percentiles{P50: at(50), P90: at(90), P99: at(99), Max: at(100)}
}
