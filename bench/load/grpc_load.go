// Calls over gRPC.

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// Of every call, as the metadata has it. A stream that stays has longer than any measurement takes.
	unaryDeadline = "10S"
	bidiDeadline  = "300S"
	settingsTime  = 5 * time.Second
	endTime       = time.Second
)

// grpcCarrier keeps connections of HTTP/2, each with its share of the streams.
type grpcCarrier struct {
	clients []*grpcClient
}

type grpcClient struct {
	*h2Conn
	run     *run
	message []byte
	isBidi  bool
	nextID  uint32
	isReady bool
	greeted chan struct{}
	// From then on nothing that happens is a failure.
	isClosed bool
	callers  []*grpcCaller
}

// grpcCaller is a place for a stream: of a call after the other, or of one stream that stays and carries all of them.
type grpcCaller struct {
	client *grpcClient
	heads  [][]hpack.HeaderField
	turn   int
	stream *h2Stream
	// Of the answer under way.
	received int
	status   string
	grpc     string
	reason   string
}

func (c *grpcCarrier) open(o order, r *run) ([]caller, error) {
	callers := make([]caller, 0, o.Streams)
	heads := grpcHeads(o)
	for i := range o.Connections {
		client, err := c.connect(o, r)
		if err != nil {
			return nil, err
		}
		share := (o.Streams + i) / o.Connections
		// What reads here writes, too, and so it does in the app: more than the buffers between them hold, and both wait.
		if share*o.RequestBytes > directBytes {
			return nil, fmt.Errorf("%d messages of %d bytes under way are too much for one connection", share, o.RequestBytes)
		}
		for range share {
			one := &grpcCaller{client: client, heads: heads, turn: i}
			client.callers = append(client.callers, one)
			callers = append(callers, one)
		}
		if int(client.streamsMax) < share {
			return nil, fmt.Errorf("a connection may have %d streams, and is to have %d", client.streamsMax, share)
		}
	}
	return callers, nil
}

func (c *grpcCarrier) connect(o order, r *run) (*grpcClient, error) {
	socket, err := dial(o.Port)
	if err != nil {
		return nil, err
	}
	client := &grpcClient{
		h2Conn: newH2Conn(socket), run: r, message: grpcMessage(o.RequestBytes),
		isBidi: o.Kind == "grpc-bidi", nextID: 1, greeted: make(chan struct{}),
	}
	c.clients = append(c.clients, client)
	client.writer.WriteString(http2.ClientPreface)
	if err := client.greet(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() {
		err := client.serve(client)
		ended <- err
		client.broken(err)
	}()
	select {
	case <-client.greeted:
		return client, nil
	case err := <-ended:
		return nil, fmt.Errorf("no HTTP/2 was spoken: %w", err)
	case <-time.After(settingsTime):
		return nil, errors.New("no settings of HTTP/2 came")
	}
}

// close ends streams that stay before it ends their connection: what is torn off costs the pair more, and its log has it.
func (c *grpcCarrier) close() {
	for _, client := range c.clients {
		client.endStreams()
	}
	for limit := time.Now().Add(endTime); c.openStreams() > 0 && time.Now().Before(limit); {
		time.Sleep(5 * time.Millisecond)
	}
	for _, client := range c.clients {
		client.socket.Close()
	}
}

func (c *grpcClient) endStreams() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isClosed = true
	for _, s := range c.streams {
		if c.isBidi {
			c.h2Conn.send(s, nil, true)
		}
	}
	c.writer.Flush()
}

func (c *grpcCarrier) openStreams() int {
	count := 0
	for _, client := range c.clients {
		client.mu.Lock()
		count += len(client.streams)
		client.mu.Unlock()
	}
	return count
}

// grpcMessage is one message with its prefix; what is in it concerns nobody on the way.
func grpcMessage(size int) []byte {
	framed := append(make([]byte, 5), filled(size, 'q')...)
	binary.BigEndian.PutUint32(framed[1:], uint32(size))
	return framed
}

func grpcHeads(o order) [][]hpack.HeaderField {
	path, deadline := "/bench.Echo/Unary", unaryDeadline
	if o.Kind == "grpc-bidi" {
		path, deadline = "/bench.Echo/Bidi", bidiDeadline
	}
	heads := make([][]hpack.HeaderField, len(o.Targets))
	for i, target := range o.Targets {
		heads[i] = []hpack.HeaderField{
			{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: path},
			{Name: ":authority", Value: "server.bench.test"}, {Name: "content-type", Value: "application/grpc"},
			{Name: "te", Value: "trailers"}, {Name: "user-agent", Value: "bench/2"}, {Name: "grpc-timeout", Value: deadline},
			{Name: "dapr-app-id", Value: target}, {Name: "x-request-id", Value: "5f0c6a52-4a39-4d0a-9b8e-0c7f3d0b8a11"},
		}
	}
	return heads
}

func (c *grpcCaller) send() {
	client := c.client
	client.mu.Lock()
	defer client.mu.Unlock()
	c.begin()
	if !client.isTaking {
		client.writer.Flush()
	}
}

func (c *grpcCaller) begin() {
	client := c.client
	if c.stream == nil {
		c.stream = client.newStream(client.nextID)
		c.stream.caller = c
		client.nextID += 2
		c.status, c.grpc = "", ""
		client.writeHead(c.stream.id, c.heads[c.turn%len(c.heads)], false)
		c.turn++
	}
	c.received = 0
	client.h2Conn.send(c.stream, client.message, !client.isBidi)
}

func (c *grpcClient) ready() {
	if !c.isReady {
		c.isReady = true
		close(c.greeted)
	}
}

func (c *grpcClient) head(f *http2.MetaHeadersFrame) error {
	s := c.streams[f.StreamID]
	if s == nil {
		return nil
	}
	for _, field := range f.Fields {
		switch field.Name {
		case ":status":
			s.caller.status = field.Value
		case "grpc-status":
			s.caller.grpc = field.Value
		case "grpc-message":
			s.caller.reason = field.Value
		}
	}
	if f.StreamEnded() {
		c.ended(s)
	}
	return nil
}

func (c *grpcClient) data(s *h2Stream, data []byte) {
	s.caller.received += len(data)
	if !c.isBidi || s.caller.received < len(c.message) {
		return
	}
	if s.caller.received > len(c.message) {
		c.outcome(s.caller, fmt.Sprintf("%d bytes instead of %d", s.caller.received, len(c.message)))
		return
	}
	c.outcome(s.caller, "")
}

func (c *grpcClient) ended(s *h2Stream) {
	c.forget(s)
	one := s.caller
	one.stream = nil
	switch {
	case c.isClosed:
	case one.status != "200" || one.grpc != "0":
		c.outcome(one, fmt.Sprintf("status %s, grpc-status %s %s", one.status, one.grpc, one.reason))
	case c.isBidi:
		c.outcome(one, "a stream that was to stay was ended")
	case one.received != len(c.message):
		c.outcome(one, fmt.Sprintf("%d bytes instead of %d", one.received, len(c.message)))
	default:
		c.outcome(one, "")
	}
}

func (c *grpcClient) reset(s *h2Stream, reason string) {
	s.caller.stream = nil
	if !c.isClosed {
		c.outcome(s.caller, reason)
	}
}

// outcome is told without the lock, for the run may begin the next call at once.
func (c *grpcClient) outcome(one *grpcCaller, failure string) {
	c.mu.Unlock()
	defer c.mu.Lock()
	if failure == "" {
		c.run.answered(one, int64(2*len(c.message)))
	} else {
		c.run.refused(one, failure)
	}
}

func (c *grpcClient) broken(err error) {
	c.mu.Lock()
	isClosed, callers := c.isClosed, c.callers
	c.mu.Unlock()
	if isClosed {
		return
	}
	reason := err.Error()
	if err == io.EOF {
		reason = "the connection was closed"
	}
	for _, one := range callers {
		c.run.broken(one, reason)
	}
}
