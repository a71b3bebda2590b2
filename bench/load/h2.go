// HTTP/2 as far as gRPC needs it, for both ends.

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	h2StreamWindow     = 1 << 20
	h2ConnectionWindow = 16 << 20
	h2InitialWindow    = 65535
	h2FrameBytes       = 16 * 1024
	h2HeadBytesMax     = 64 * 1024
)

// h2Conn is one end of an HTTP/2 connection without TLS: frames, header compression and windows. What is written while frames
// that have come are worked through leaves in one piece.
type h2Conn struct {
	socket net.Conn
	reader *bufio.Reader
	framer *http2.Framer

	mu         sync.Mutex
	writer     *bufio.Writer
	encoder    *hpack.Encoder
	block      bytes.Buffer
	window     int64
	peerWindow int64
	// Of what the peer may have under way at once; 0 until it has said so.
	streamsMax uint32
	streams    map[uint32]*h2Stream
	// Those that wait for the connection's window, in the order in which they began to.
	blocked []*h2Stream
	// Taken from the peer and not given back to it yet.
	taken int64
	// Frames are being worked through, and what is written meanwhile is flushed after the last of them.
	isTaking bool
}

type h2Stream struct {
	id     uint32
	window int64
	taken  int64
	// What waits for a window, and whether it is the last.
	pending   []byte
	isEnding  bool
	isBlocked bool
	// The app's; behind all that it sends.
	trailers []hpack.HeaderField
	// The client's.
	caller *grpcCaller
}

func newH2Conn(socket net.Conn) *h2Conn {
	c := &h2Conn{
		socket: socket, reader: bufio.NewReaderSize(socket, readBytes), writer: bufio.NewWriterSize(socket, readBytes),
		window: h2InitialWindow, peerWindow: h2InitialWindow, streams: map[uint32]*h2Stream{},
	}
	c.encoder = hpack.NewEncoder(&c.block)
	c.framer = http2.NewFramer(c.writer, c.reader)
	c.framer.SetReuseFrames()
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.framer.MaxHeaderListSize = h2HeadBytesMax
	return c
}

// greet says how much may be sent to us.
func (c *h2Conn) greet() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.framer.WriteSettings(
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: h2StreamWindow},
		http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 10_000},
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
	)
	c.framer.WriteWindowUpdate(0, h2ConnectionWindow-h2InitialWindow)
	return c.writer.Flush()
}

// h2Events is what differs between the two ends. All are called with the lock held.
type h2Events interface {
	head(*http2.MetaHeadersFrame) error
	data(*h2Stream, []byte)
	ended(*h2Stream)
	reset(*h2Stream, string)
	ready()
}

// serve reads until the connection ends, and says why it did.
func (c *h2Conn) serve(events h2Events) error {
	for {
		if c.reader.Buffered() == 0 {
			if err := c.flush(); err != nil {
				return err
			}
		}
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.isTaking = true
		err = c.take(frame, events)
		c.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

func (c *h2Conn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isTaking = false
	return c.writer.Flush()
}

func (c *h2Conn) take(frame http2.Frame, events h2Events) error {
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		return events.head(f)
	case *http2.DataFrame:
		c.takeData(f, events)
	case *http2.WindowUpdateFrame:
		c.takeCredit(f.StreamID, int64(f.Increment))
	case *http2.SettingsFrame:
		return c.takeSettings(f, events)
	case *http2.PingFrame:
		if !f.IsAck() {
			return c.framer.WritePing(true, f.Data)
		}
	case *http2.RSTStreamFrame:
		if s := c.streams[f.StreamID]; s != nil {
			c.forget(s)
			events.reset(s, fmt.Sprintf("the stream was reset: %s", f.ErrCode))
		}
	case *http2.GoAwayFrame:
		if f.ErrCode != http2.ErrCodeNo {
			return fmt.Errorf("the connection was given up: %s %s", f.ErrCode, f.DebugData())
		}
	}
	return nil
}

func (c *h2Conn) takeSettings(f *http2.SettingsFrame, events h2Events) error {
	if f.IsAck() {
		return nil
	}
	if c.streamsMax == 0 {
		c.streamsMax = 1 << 20
	}
	f.ForeachSetting(func(s http2.Setting) error {
		switch s.ID {
		case http2.SettingInitialWindowSize:
			for _, stream := range c.streams {
				stream.window += int64(s.Val) - c.peerWindow
			}
			c.peerWindow = int64(s.Val)
		case http2.SettingMaxConcurrentStreams:
			c.streamsMax = s.Val
		case http2.SettingHeaderTableSize:
			c.encoder.SetMaxDynamicTableSizeLimit(s.Val)
		}
		return nil
	})
	err := c.framer.WriteSettingsAck()
	c.unblock()
	events.ready()
	return err
}

func (c *h2Conn) takeData(f *http2.DataFrame, events h2Events) {
	c.taken += int64(f.Length)
	if c.taken > h2ConnectionWindow/2 {
		c.framer.WriteWindowUpdate(0, uint32(c.taken))
		c.taken = 0
	}
	s := c.streams[f.StreamID]
	if s == nil {
		return
	}
	s.taken += int64(f.Length)
	events.data(s, f.Data())
	if f.StreamEnded() {
		events.ended(s)
	} else if s.taken > h2StreamWindow/2 {
		c.framer.WriteWindowUpdate(s.id, uint32(s.taken))
		s.taken = 0
	}
}

func (c *h2Conn) takeCredit(id uint32, bytes int64) {
	if id == 0 {
		c.window += bytes
		c.unblock()
	} else if s := c.streams[id]; s != nil {
		s.window += bytes
		c.pump(s)
	}
}

func (c *h2Conn) unblock() {
	blocked := c.blocked
	c.blocked = nil
	for _, s := range blocked {
		s.isBlocked = false
		c.pump(s)
	}
}

func (c *h2Conn) forget(s *h2Stream) {
	delete(c.streams, s.id)
	s.pending = nil
}

func (c *h2Conn) newStream(id uint32) *h2Stream {
	s := &h2Stream{id: id, window: c.peerWindow}
	c.streams[id] = s
	return s
}

func (c *h2Conn) writeHead(id uint32, fields []hpack.HeaderField, isEnd bool) {
	c.block.Reset()
	for _, field := range fields {
		c.encoder.WriteField(field)
	}
	c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: isEnd,
	})
}

// send writes what the windows allow, and the rest once they do. At the end of all of it come the trailers, where there are any.
func (c *h2Conn) send(s *h2Stream, data []byte, isEnd bool) {
	s.isEnding = s.isEnding || isEnd
	if len(s.pending) > 0 {
		s.pending = append(s.pending, data...)
		return
	}
	// It is a part of what was read, and will be written over.
	if rest := c.sendNow(s, data); len(rest) > 0 {
		s.pending = append(s.pending[:0], rest...)
	}
}

func (c *h2Conn) pump(s *h2Stream) {
	if len(s.pending) > 0 {
		s.pending = c.sendNow(s, s.pending)
	}
}

func (c *h2Conn) sendNow(s *h2Stream, data []byte) (rest []byte) {
	for len(data) > 0 {
		size := min(int64(len(data)), s.window, c.window, h2FrameBytes)
		if size <= 0 {
			c.await(s)
			return data
		}
		isLast := s.isEnding && s.trailers == nil && int(size) == len(data)
		c.framer.WriteData(s.id, isLast, data[:size])
		s.window -= size
		c.window -= size
		data = data[size:]
		if isLast {
			return nil
		}
	}
	if s.isEnding && s.trailers != nil {
		// They answer a request that has ended.
		c.writeHead(s.id, s.trailers, true)
		c.forget(s)
	} else if s.isEnding {
		c.framer.WriteData(s.id, true, nil)
	}
	return nil
}

// await has the stream tried again once there is credit for the whole connection.
func (c *h2Conn) await(s *h2Stream) {
	if c.window <= 0 && !s.isBlocked {
		s.isBlocked = true
		c.blocked = append(c.blocked, s)
	}
}
