// What is there beside the calls that are measured.

package main

import (
	"bufio"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

const (
	// More than the buffers on the way hold, and less than a sidecar refuses a request for.
	stoppedUploadBytes = 3 << 20
	// More than is read in the longest run.
	endlessBytes = 1 << 42
	// The app reads on after that, so that nothing waits for ever.
	stopSpare = 2 * time.Second
	// A stopped reader takes as little as the kernel lets it.
	stoppedBufferBytes = 4096
	// Until uploads have filled what is on their way.
	fillingTime = 300 * time.Millisecond
	// For the first answer on each of these connections.
	companyTime = 10 * time.Second
)

// company is what is held open through the same pair while calls are measured: connections that are idle, streams whose readers
// have stopped, half of them here and half of them in the app, and one stream that is read as fast as it comes.
type company struct {
	sockets   []net.Conn
	bulkBytes atomic.Int64
	isOver    atomic.Bool
}

func keepCompany(o order, r *run) (*company, error) {
	c := &company{}
	for i := range o.IdleConnections {
		if err := c.idle(o, r); err != nil {
			c.close()
			return nil, fmt.Errorf("idle connection %d: %w", i+1, err)
		}
	}
	for i := range o.StoppedReaders {
		stop := c.stopDownload
		if i%2 == 1 {
			stop = c.stopUpload
		}
		if err := stop(o); err != nil {
			c.close()
			return nil, fmt.Errorf("stopped reader %d: %w", i+1, err)
		}
	}
	if o.StoppedReaders > 0 {
		time.Sleep(fillingTime)
	}
	if o.HasBulk {
		if err := c.bulk(o, r); err != nil {
			c.close()
			return nil, fmt.Errorf("bulk stream: %w", err)
		}
	}
	return c, nil
}

func (c *company) dial(o order) (net.Conn, error) {
	socket, err := dial(o.Port)
	if err == nil {
		c.sockets = append(c.sockets, socket)
		socket.SetReadDeadline(time.Now().Add(companyTime))
	}
	return socket, err
}

// idle makes one call, and then the connection waits for the next, which never comes.
func (c *company) idle(o order, r *run) error {
	socket, err := c.dial(o)
	if err != nil {
		return err
	}
	socket.Write(requestHead("GET", "/bytes/1", o.Targets[0]))
	reader := bufio.NewReaderSize(socket, 1024)
	if err := awaitOK(reader); err != nil {
		return err
	}
	socket.SetReadDeadline(time.Time{})
	go func() {
		for {
			if _, err := reader.ReadByte(); err != nil {
				if !c.isOver.Load() {
					r.failed("an idle connection was closed")
				}
				return
			}
		}
	}()
	return nil
}

func (c *company) stopDownload(o order) error {
	socket, err := c.dial(o)
	if err != nil {
		return err
	}
	socket.(*net.TCPConn).SetReadBuffer(stoppedBufferBytes)
	socket.Write(requestHead("GET", fmt.Sprintf("/stream/%d", endlessBytes), o.Targets[0]))
	h, _, err := readHead(bufio.NewReaderSize(socket, 1024), nil)
	if err == nil && !isOK(h.startLine) {
		err = fmt.Errorf("%s", h.startLine)
	}
	return err
}

func (c *company) stopUpload(o order) error {
	socket, err := c.dial(o)
	if err != nil {
		return err
	}
	stopped := time.Duration(o.RunUpMs+o.MeasuredMs)*time.Millisecond + lastAnswers + stopSpare
	length := fmt.Sprintf("content-length: %d", stoppedUploadBytes)
	request := requestHead("POST", fmt.Sprintf("/stop/%d", stopped.Milliseconds()), o.Targets[0], length)
	go socket.Write(append(request, filled(stoppedUploadBytes, 'q')...))
	return nil
}

func (c *company) bulk(o order, r *run) error {
	socket, err := c.dial(o)
	if err != nil {
		return err
	}
	socket.Write(requestHead("GET", fmt.Sprintf("/stream/%d", endlessBytes), o.Targets[0]))
	reader := bufio.NewReaderSize(socket, readBytes)
	h, _, err := readHead(reader, nil)
	if err == nil && !isOK(h.startLine) {
		err = fmt.Errorf("%s", h.startLine)
	}
	if err != nil {
		return err
	}
	socket.SetReadDeadline(time.Time{})
	go func() {
		_, err := h.skipBody(reader, func(bytes int) { c.bulkBytes.Add(int64(bytes)) })
		if !c.isOver.Load() {
			r.failed(fmt.Sprintf("the bulk stream ended: %v", err))
		}
	}()
	return nil
}

func awaitOK(reader *bufio.Reader) error {
	h, _, err := readHead(reader, nil)
	if err != nil {
		return err
	}
	if _, err := h.skipBody(reader, nil); err != nil {
		return err
	}
	if !isOK(h.startLine) {
		return fmt.Errorf("%s", h.startLine)
	}
	return nil
}

// close resets: what was not read is not to be sent any more.
func (c *company) close() {
	c.isOver.Store(true)
	for _, socket := range c.sockets {
		socket.(*net.TCPConn).SetLinger(0)
		socket.Close()
	}
}
