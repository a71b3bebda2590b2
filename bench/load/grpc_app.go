// The app, called over gRPC.

package main

import (
	"io"
	"net"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// grpcApp echoes: what comes on a stream goes back on it, and its end is answered with the status OK. So it serves one message
// and any number of them alike, and reads none.
type grpcApp struct {
	*h2Conn
}

var (
	grpcAnswerHead     = []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "content-type", Value: "application/grpc"}}
	grpcAnswerTrailers = []hpack.HeaderField{{Name: "grpc-status", Value: "0"}}
)

func serveGRPC(socket net.Conn) {
	app := grpcApp{newH2Conn(socket)}
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(app.reader, preface); err != nil || string(preface) != http2.ClientPreface {
		return
	}
	if app.greet() == nil {
		app.serve(app)
	}
}

func (a grpcApp) head(f *http2.MetaHeadersFrame) error {
	s := a.newStream(f.StreamID)
	s.trailers = grpcAnswerTrailers
	a.writeHead(s.id, grpcAnswerHead, false)
	if f.StreamEnded() {
		a.ended(s)
	}
	return nil
}

func (a grpcApp) data(s *h2Stream, data []byte) {
	if len(data) > 0 {
		a.send(s, data, false)
	}
}

func (a grpcApp) ended(s *h2Stream) {
	a.send(s, nil, true)
}

func (a grpcApp) reset(*h2Stream, string) {}

func (a grpcApp) ready() {}
