// Calls over HTTP/1.1.

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
)

const (
	readBytes  = 64 * 1024
	chunkBytes = 16 * 1024
	// A request up to this length fits into the buffers of a socket, so that writing it does not block.
	directBytes = 64 * 1024
)

// httpCarrier keeps connections of HTTP/1.1.
type httpCarrier struct {
	connections []*httpCaller
}

type httpCaller struct {
	socket net.Conn
	run    *run
	// One for each target, asked for in turn.
	requests [][]byte
	turn     int
	// Large requests are written by a goroutine of their own: the pace must not wait for them.
	toWrite chan []byte
}

func (c *httpCarrier) open(o order, r *run) ([]caller, error) {
	requests := requestsOf(o)
	callers := make([]caller, o.Connections)
	for i := range callers {
		// In turn: a thousand at once would overflow a listener's queue, and the kernel would try again only after a second.
		socket, err := dial(o.Port)
		if err != nil {
			return nil, err
		}
		one := &httpCaller{socket: socket, run: r, requests: requests, turn: i}
		if len(requests[0]) > directBytes {
			one.toWrite = make(chan []byte, 1)
			go one.write()
		}
		go one.read(int64(o.AnswerBytes))
		c.connections = append(c.connections, one)
		callers[i] = one
	}
	return callers, nil
}

func (c *httpCarrier) close() {
	for _, one := range c.connections {
		one.socket.Close()
		if one.toWrite != nil {
			close(one.toWrite)
		}
	}
}

func dial(port int) (net.Conn, error) {
	return net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
}

func (c *httpCaller) send() {
	request := c.requests[c.turn%len(c.requests)]
	c.turn++
	if c.toWrite != nil {
		c.toWrite <- request
		return
	}
	// An error is met by the reader, too.
	c.socket.Write(request)
}

func (c *httpCaller) write() {
	for request := range c.toWrite {
		c.socket.Write(request)
	}
}

func (c *httpCaller) read(answerBytes int64) {
	reader := bufio.NewReaderSize(c.socket, readBytes)
	var line []byte
	for {
		var answer head
		var err error
		answer, line, err = readHead(reader, line)
		if err == nil && !answer.hasLength && !answer.isChunked {
			err = errNoLength
		}
		if err != nil {
			c.broken(err)
			return
		}
		length, err := answer.skipBody(reader, nil)
		if err != nil {
			c.broken(err)
			return
		}
		if isOK(answer.startLine) && length == answerBytes {
			c.run.answered(c, length+int64(c.run.order.RequestBytes))
		} else {
			c.run.refused(c, fmt.Sprintf("%s, %d bytes", answer.startLine, length))
		}
	}
}

func (c *httpCaller) broken(err error) {
	reason := err.Error()
	if err == io.EOF {
		reason = "the connection was closed"
	}
	c.run.broken(c, reason)
}

func isOK(statusLine []byte) bool {
	return bytes.HasPrefix(statusLine, []byte("HTTP/1.1 200"))
}

// requestsOf makes one request for each target. The target is in a field, so that every pair is sent the same bytes.
func requestsOf(o order) [][]byte {
	all := make([][]byte, len(o.Targets))
	for i, target := range o.Targets {
		path := fmt.Sprintf("/bytes/%d", o.AnswerBytes)
		if o.IsChunked && o.AnswerBytes > chunkBytes {
			path = fmt.Sprintf("/stream/%d", o.AnswerBytes)
		}
		var request bytes.Buffer
		switch {
		case o.RequestBytes == 0:
			request.Write(requestHead("GET", path, target))
		case o.IsChunked:
			request.Write(requestHead("POST", path, target, "transfer-encoding: chunked"))
			request.Write(chunked(o.RequestBytes))
		default:
			request.Write(requestHead("POST", path, target, fmt.Sprintf("content-length: %d", o.RequestBytes)))
			request.Write(filled(o.RequestBytes, 'q'))
		}
		all[i] = request.Bytes()
	}
	return all
}

// requestHead has seven fields when there is a body.
func requestHead(method, path, target string, more ...string) []byte {
	lines := []string{
		method + " " + path + " HTTP/1.1",
		"host: server.bench.test",
		"dapr-app-id: " + target,
		"user-agent: bench/2",
		"accept: */*",
		"content-type: application/octet-stream",
		"x-request-id: 5f0c6a52-4a39-4d0a-9b8e-0c7f3d0b8a11",
	}
	return []byte(strings.Join(append(lines, more...), "\r\n") + "\r\n\r\n")
}

func chunked(size int) []byte {
	var body bytes.Buffer
	for size > 0 {
		part := min(size, chunkBytes)
		fmt.Fprintf(&body, "%x\r\n%s\r\n", part, filled(part, 'q'))
		size -= part
	}
	body.WriteString("0\r\n\r\n")
	return body.Bytes()
}

func filled(size int, with byte) []byte {
	return bytes.Repeat([]byte{with}, size)
}
