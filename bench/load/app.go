// The app behind every pair.

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"time"
)

// ports is what the app says of itself once it listens.
type ports struct {
	HTTP int `json:"httpPort"`
	GRPC int `json:"grpcPort"`
}

// startApp serves HTTP/1.1 on one port and gRPC on the other. It is the cheapest thing that answers:
//
//	/bytes/N   N bytes
//	/stream/N  N bytes in chunks
//	/stop/MS   reads nothing of the request for so many milliseconds, and then ends the connection
func startApp() (ports, error) {
	httpPort, err := listen(serveHTTP)
	if err != nil {
		return ports{}, err
	}
	grpcPort, err := listen(serveGRPC)
	return ports{HTTP: httpPort, GRPC: grpcPort}, err
}

func listen(serve func(net.Conn)) (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	go func() {
		for {
			socket, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer socket.Close()
				serve(socket)
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// wholeAnswers by their length, so that none is made twice. One processor runs all connections, but not one after the other.
type wholeAnswers map[int64][]byte

func serveHTTP(socket net.Conn) {
	reader := bufio.NewReaderSize(socket, chunkBytes)
	answers := wholeAnswers{}
	var line []byte
	for {
		var request head
		var err error
		request, line, err = readHead(reader, line)
		if err != nil {
			return
		}
		kind, number := routeOf(request.startLine)
		if kind == "stop" {
			stop(socket, number)
			return
		}
		if _, err := request.skipBody(reader, nil); err != nil {
			return
		}
		if err := answers.answer(socket, kind, number); err != nil {
			return
		}
	}
}

// routeOf reads `POST /bytes/1024 HTTP/1.1`.
func routeOf(startLine []byte) (kind string, number int64) {
	_, rest, _ := bytes.Cut(startLine, []byte(" /"))
	path, _, _ := bytes.Cut(rest, []byte(" "))
	name, digits, _ := bytes.Cut(path, []byte("/"))
	number, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || number < 0 {
		return "", 0
	}
	return string(name), number
}

func (a wholeAnswers) answer(socket net.Conn, kind string, number int64) error {
	switch kind {
	case "bytes":
		whole := a[number]
		if whole == nil {
			whole = append(fmt.Appendf(nil, okHead+"content-length: %d\r\n\r\n", number), filled(int(number), 'a')...)
			a[number] = whole
		}
		_, err := socket.Write(whole)
		return err
	case "stream":
		return stream(socket, number)
	}
	_, err := socket.Write([]byte("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"))
	return err
}

const okHead = "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n"

// aChunk is written from all connections.
var aChunk = fmt.Appendf(nil, "%x\r\n%s\r\n", chunkBytes, filled(chunkBytes, 'a'))

func stream(socket net.Conn, size int64) error {
	if _, err := socket.Write([]byte(okHead + "transfer-encoding: chunked\r\n\r\n")); err != nil {
		return err
	}
	for ; size >= chunkBytes; size -= chunkBytes {
		if _, err := socket.Write(aChunk); err != nil {
			return err
		}
	}
	last := []byte("0\r\n\r\n")
	if size > 0 {
		last = fmt.Appendf(nil, "%x\r\n%s\r\n%s", size, filled(int(size), 'a'), last)
	}
	_, err := socket.Write(last)
	return err
}

func stop(socket net.Conn, milliseconds int64) {
	socket.(*net.TCPConn).SetReadBuffer(stoppedBufferBytes)
	time.Sleep(time.Duration(milliseconds) * time.Millisecond)
}
