// Where a message of HTTP/1.1 ends, for both ends.

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// head is as much of an HTTP/1.1 message's head as is needed to find its end. It is read from well-behaved programs: this is no
// parser to put before strangers.
type head struct {
	// The request line or the status line; valid until the next read.
	startLine []byte
	length    int64
	isChunked bool
	hasLength bool
}

var (
	contentLength    = []byte("content-length")
	transferEncoding = []byte("transfer-encoding")
	errNoLength      = errors.New("a message says nothing of its length")
)

// readHead keeps the start line in `line`, which it may grow.
func readHead(from *bufio.Reader, line []byte) (head, []byte, error) {
	text, err := from.ReadSlice('\n')
	if err != nil {
		return head{}, line, err
	}
	line = append(line[:0], bytes.TrimRight(text, "\r\n")...)
	h := head{startLine: line}
	for {
		text, err := from.ReadSlice('\n')
		if err != nil {
			return h, line, err
		}
		text = bytes.TrimRight(text, "\r\n")
		if len(text) == 0 {
			return h, line, nil
		}
		if err := h.field(text); err != nil {
			return h, line, err
		}
	}
}

func (h *head) field(text []byte) error {
	colon := bytes.IndexByte(text, ':')
	if colon != len(contentLength) && colon != len(transferEncoding) {
		return nil
	}
	name, value := text[:colon], bytes.TrimSpace(text[colon+1:])
	if bytes.EqualFold(name, contentLength) {
		length, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return fmt.Errorf("this is not the length of a body: %q", value)
		}
		h.length, h.hasLength = length, true
	} else if bytes.EqualFold(name, transferEncoding) {
		h.isChunked = bytes.EqualFold(value, []byte("chunked"))
	}
	return nil
}

// skipBody throws the body away and says how long it was; `progress` hears of its parts.
func (h head) skipBody(from *bufio.Reader, progress func(bytes int)) (int64, error) {
	if !h.isChunked {
		return h.length, discard(from, h.length, progress)
	}
	var sum int64
	for {
		text, err := from.ReadSlice('\n')
		if err != nil {
			return sum, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimRight(text, "\r\n")), 16, 64)
		if err != nil {
			return sum, fmt.Errorf("this is not the size of a chunk: %q", text)
		}
		if size == 0 {
			return sum, skipTrailers(from)
		}
		if err := discard(from, size, progress); err != nil {
			return sum, err
		}
		if _, err := from.Discard(len("\r\n")); err != nil {
			return sum, err
		}
		sum += size
	}
}

const progressBytes = 64 * 1024

func discard(from *bufio.Reader, size int64, progress func(bytes int)) error {
	for size > 0 {
		part := int(min(size, progressBytes))
		if _, err := from.Discard(part); err != nil {
			return err
		}
		if progress != nil {
			progress(part)
		}
		size -= int64(part)
	}
	return nil
}

func skipTrailers(from *bufio.Reader) error {
	for {
		text, err := from.ReadSlice('\n')
		if err != nil || len(bytes.TrimRight(text, "\r\n")) == 0 {
			return err
		}
	}
}
