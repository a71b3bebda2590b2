// For tests: Go's net/http, as a server that sends bodies back, and as a client of one.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "call" {
		call(os.Args[2])
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		// The test has gone when its end of our standard input has.
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	check(http.Serve(listener, http.HandlerFunc(echo)))
}

func echo(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/refuse" {
		// Before it has read the body: net/http closes the connection then.
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	body, err := io.ReadAll(r.Body)
	check(err)
	w.Header().Set("Trailer", "X-Sum")
	if r.URL.Path == "/sized" {
		w.Header().Del("Trailer")
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	}
	w.Write(body)
	if r.URL.Path != "/sized" {
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", r.Trailer.Get("X-Sum"))
	}
}

func call(url string) {
	request(url+"/sized", http.MethodPost, strings.NewReader("hello"), "")
	request(url+"/chunked", http.MethodPut, io.MultiReader(strings.NewReader("hel"), strings.NewReader("lo")), "7")
	request(url+"/head", http.MethodHead, nil, "")
	request(url+"/large", http.MethodPost, bytes.NewReader(bytes.Repeat([]byte("x"), 5_000_000)), "")
}

// Prints: status, length of the body, trailer, whether the connection had been used before.
func request(url, method string, body io.Reader, sum string) {
	r, err := http.NewRequest(method, url, body)
	check(err)
	if sum != "" {
		r.Trailer = http.Header{"X-Sum": []string{sum}}
	}
	reused := false
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }}
	response, err := http.DefaultClient.Do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	check(err)
	answer, err := io.ReadAll(response.Body)
	check(err)
	response.Body.Close()
	fmt.Println(response.StatusCode, len(answer), response.Trailer.Get("X-Sum"), reused)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
