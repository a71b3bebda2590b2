// One measurement: callers that are let go at a pace or as fast as they can, and what is counted meanwhile. How a call is made is
// the business of http_load.go and grpc_load.go.

package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	reasonsMax = 3
	// For what is under way when the time is over.
	lastAnswers = 10 * time.Second
)

// caller carries one call at a time: a connection of HTTP/1.1, a place for a stream of HTTP/2, or a stream that stays.
type caller interface {
	// send begins a call, and returns without waiting for anything.
	send()
}

// carrier opens callers and ends them.
type carrier interface {
	open(o order, r *run) ([]caller, error)
	close()
}

// slot is a caller and the call that it carries.
type slot struct {
	caller caller
	// From when the call under way counts: at a given pace from when it was due, even if it could not be sent then.
	since  time.Time
	isBusy bool
}

// tally is what is counted between the beginning and the end of a measurement.
type tally struct {
	latencies, lates []time.Duration
	due              int
	bytes            int64
}

type run struct {
	order order
	mu    sync.Mutex
	slots map[caller]*slot
	// First in, first out: every slot has its turn.
	idle []*slot
	// Calls that found no idle slot, by when they were due.
	waiting  []time.Time
	tally    *tally
	failures int
	reasons  []string
	isOver   bool
}

func measure(o order) (*result, error) {
	r := &run{order: o, slots: map[caller]*slot{}}
	carrier, err := carrierOf(o)
	if err != nil {
		return nil, err
	}
	defer carrier.close()
	callers, err := carrier.open(o, r)
	if err != nil {
		return nil, err
	}
	company, err := keepCompany(o, r)
	if err != nil {
		return nil, err
	}
	defer company.close()
	for _, c := range callers {
		s := &slot{caller: c}
		r.slots[c] = s
		r.idle = append(r.idle, s)
	}
	pacer, err := r.start()
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Duration(o.RunUpMs) * time.Millisecond)
	found, err := r.count(company)
	r.end(pacer)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	found.Failures, found.Reasons = r.failures, append([]string{}, r.reasons...)
	return found, nil
}

func carrierOf(o order) (carrier, error) {
	switch o.Kind {
	case "http":
		return &httpCarrier{}, nil
	case "grpc-unary", "grpc-bidi":
		return &grpcCarrier{}, nil
	}
	return nil, fmt.Errorf("there is no load of the kind %q", o.Kind)
}

// start lets the callers go: all at once, or one at every tick.
func (r *run) start() (*os.File, error) {
	if r.order.PerSecond > 0 {
		interval := time.Duration(float64(time.Second) / r.order.PerSecond)
		return startPacer(time.Now(), interval, r.ask)
	}
	r.mu.Lock()
	all := r.idle
	r.idle = nil
	for _, s := range all {
		s.isBusy, s.since = true, time.Now()
	}
	r.mu.Unlock()
	for _, s := range all {
		s.caller.send()
	}
	return nil, nil
}

func (r *run) count(c *company) (*result, error) {
	cpuBefore, err := cpuOf(r.order.Pids)
	if err != nil {
		return nil, err
	}
	ownBefore, _ := cpuNs(os.Getpid())
	t := &tally{latencies: make([]time.Duration, 0, 1<<16), lates: make([]time.Duration, 0, 1<<13)}
	bulkBefore := c.bulkBytes.Load()
	began := time.Now()
	r.setTally(t)
	time.Sleep(time.Duration(r.order.MeasuredMs) * time.Millisecond)
	r.setTally(nil)
	seconds := time.Since(began).Seconds()
	bulkBytes := c.bulkBytes.Load() - bulkBefore
	cpuAfter, err := cpuOf(r.order.Pids)
	if err != nil {
		return nil, err
	}
	ownAfter, _ := cpuNs(os.Getpid())
	if r.order.HasBulk && bulkBytes == 0 {
		r.failed("the bulk stream stood still")
	}
	found := &result{
		Calls: len(t.latencies), Due: t.due, Seconds: seconds, Bytes: t.bytes, BulkBytes: bulkBytes,
		LatencyMicros: percentilesOf(t.latencies), LateMicros: percentilesOf(t.lates),
		CPUMicros: make([]float64, len(cpuAfter)), OwnCPUMicros: float64(ownAfter-ownBefore) / 1000,
	}
	for i := range cpuAfter {
		found.CPUMicros[i] = float64(cpuAfter[i]-cpuBefore[i]) / 1000
	}
	return found, nil
}

func (r *run) setTally(t *tally) {
	r.mu.Lock()
	r.tally = t
	r.mu.Unlock()
}

// ask is called when a call falls due.
func (r *run) ask(due time.Time) {
	r.mu.Lock()
	if r.isOver {
		r.mu.Unlock()
		return
	}
	if r.tally != nil {
		r.tally.due++
		r.tally.lates = append(r.tally.lates, time.Since(due))
	}
	if len(r.idle) == 0 {
		r.waiting = append(r.waiting, due)
		r.mu.Unlock()
		return
	}
	s := r.idle[0]
	r.idle = r.idle[1:]
	s.isBusy, s.since = true, due
	r.mu.Unlock()
	s.caller.send()
}

// answered is called by a caller at the end of its call.
func (r *run) answered(c caller, bytes int64) {
	now := time.Now()
	r.mu.Lock()
	s := r.slots[c]
	if s == nil || !s.isBusy {
		r.mu.Unlock()
		r.failed("an answer came that nobody had asked for")
		return
	}
	if r.tally != nil {
		r.tally.latencies = append(r.tally.latencies, now.Sub(s.since))
		r.tally.bytes += bytes
	}
	isNext := r.next(s, now)
	r.mu.Unlock()
	if isNext {
		c.send()
	}
}

// refused is called for an answer that is another one than was asked for; the caller goes on.
func (r *run) refused(c caller, reason string) {
	r.failed(reason)
	r.mu.Lock()
	s := r.slots[c]
	isNext := s != nil && s.isBusy && r.next(s, time.Now())
	r.mu.Unlock()
	if isNext {
		c.send()
	}
}

// next gives the slot its next call, or lays it aside.
func (r *run) next(s *slot, now time.Time) bool {
	s.isBusy = false
	switch {
	case r.isOver:
		return false
	case r.order.PerSecond == 0:
		s.since = now
	case len(r.waiting) > 0:
		s.since = r.waiting[0]
		r.waiting = r.waiting[1:]
	default:
		r.idle = append(r.idle, s)
		return false
	}
	s.isBusy = true
	return true
}

// broken takes a caller out of service. One that ends when the run is over and nothing is under way ends as it should.
func (r *run) broken(c caller, reason string) {
	r.mu.Lock()
	s := r.slots[c]
	isExpected := r.isOver && (s == nil || !s.isBusy)
	if s != nil {
		s.isBusy = false
		delete(r.slots, c)
		for i, one := range r.idle {
			if one == s {
				r.idle = append(r.idle[:i:i], r.idle[i+1:]...)
				break
			}
		}
	}
	r.mu.Unlock()
	if !isExpected {
		r.failed(reason)
	}
}

func (r *run) failed(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures++
	if len(r.reasons) < reasonsMax {
		r.reasons = append(r.reasons, reason)
	}
}

// end waits for what is under way.
func (r *run) end(pacer *os.File) {
	if pacer != nil {
		pacer.Close()
	}
	r.mu.Lock()
	r.isOver = true
	r.mu.Unlock()
	for limit := time.Now().Add(lastAnswers); r.busy() > 0 && time.Now().Before(limit); {
		time.Sleep(5 * time.Millisecond)
	}
	for range r.busy() {
		r.failed("no answer")
	}
	r.mu.Lock()
	for _, s := range r.slots {
		s.isBusy = false
	}
	r.mu.Unlock()
}

func (r *run) busy() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := 0
	for _, s := range r.slots {
		if s.isBusy {
			count++
		}
	}
	return count
}
