// Prints blocks that golang.org/x/net/http2/hpack made or judged, one JSON object a line, for go-blocks.test.ts:
// in a folder with a go.mod that requires golang.org/x/net, `go run go-blocks.go > go-blocks.jsonl`.
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/rand"
	"os"
	"strings"

	"golang.org/x/net/http2/hpack"
)

type block struct {
	Hex    string   `json:"hex"`
	Fields []string `json:"fields"`
	Never  []string `json:"never,omitempty"`
}
type line struct {
	TableBytesMax uint32  `json:"tableBytesMax"`
	Blocks        []block `json:"blocks"`
}
type judged struct {
	Hex      string   `json:"hex"`
	IsBroken bool     `json:"isBroken"`
	Fields   []string `json:"fields,omitempty"`
}

var names = []string{"accept", "content-type", "cookie", "user-agent", "x-user", "x-a", "date", "grpc-status", "vary", "x-longer-name_of.field"}

func value(r *rand.Rand) string {
	switch r.Intn(6) {
	case 0:
		return ""
	case 1:
		return "application/grpc"
	case 2:
		return strings.Repeat(string(rune('a'+r.Intn(3))), 1+r.Intn(150))
	case 3:
		b := make([]byte, 1+r.Intn(12))
		for i := range b {
			b[i] = byte(0x80 + r.Intn(128))
		}
		return string(b)
	default:
		b := make([]byte, 1+r.Intn(12))
		for i := range b {
			b[i] = byte(0x21 + r.Intn(94))
		}
		return string(b)
	}
}
func latin1(s string) string {
	r := make([]rune, len(s))
	for i := 0; i < len(s); i++ {
		r[i] = rune(s[i])
	}
	return string(r)
}

func main() {
	r := rand.New(rand.NewSource(7541))
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	var raw [][]byte
	for c := 0; c < 10; c++ {
		max := []uint32{4096, 0, 100, 256, 4096, 600, 16384}[c%7]
		var buf bytes.Buffer
		enc := hpack.NewEncoder(&buf)
		enc.SetMaxDynamicTableSizeLimit(max)
		l := line{TableBytesMax: max}
		for b := 0; b < 8; b++ {
			buf.Reset()
			if b > 0 && r.Intn(4) == 0 {
				enc.SetMaxDynamicTableSize(uint32(r.Intn(int(max) + 1)))
			}
			if b == 0 && max > 4096 {
				enc.SetMaxDynamicTableSize(max)
			}
			bl := block{Fields: []string{}}
			for f := r.Intn(8); f > 0; f-- {
				n, v := names[r.Intn(len(names))], value(r)
				never := r.Intn(8) == 0
				enc.WriteField(hpack.HeaderField{Name: n, Value: v, Sensitive: never})
				bl.Fields = append(bl.Fields, n, latin1(v))
				if never {
					bl.Never = append(bl.Never, n)
				}
			}
			bl.Hex = hex.EncodeToString(buf.Bytes())
			if max == 4096 && b == 0 && buf.Len() > 0 {
				raw = append(raw, append([]byte{}, buf.Bytes()...))
			}
			l.Blocks = append(l.Blocks, bl)
		}
		out.Encode(l)
	}
	// First blocks of a connection, changed in one to three places or cut.
	for i := 0; i < 160; i++ {
		b := append([]byte{}, raw[r.Intn(len(raw))]...)
		if len(b) > 60 {
			b = b[:60]
		}
		for k := 1 + r.Intn(3); k > 0; k-- {
			switch at := r.Intn(len(b)); r.Intn(3) {
			case 0:
				b[at] ^= 1 << r.Intn(8)
			case 1:
				b[at] = byte(r.Intn(256))
			default:
				if at > 0 {
					b = b[:at]
				}
			}
		}
		j := judged{Hex: hex.EncodeToString(b)}
		d := hpack.NewDecoder(4096, func(f hpack.HeaderField) { j.Fields = append(j.Fields, latin1(f.Name), latin1(f.Value)) })
		_, err := d.Write(b)
		if err == nil {
			err = d.Close()
		}
		if err != nil {
			j.IsBroken, j.Fields = true, nil
		}
		out.Encode(j)
	}
}
