// For tests: Go's net/http over HTTP/2 without TLS. `call URL` calls; without arguments it serves until its input ends.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
)

func protocols() *http.Protocols {
	only := new(http.Protocols)
	only.SetUnencryptedHTTP2(true)
	return only
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "call" {
		call(os.Args[2])
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	server := &http.Server{Handler: http.HandlerFunc(echo), Protocols: protocols()}
	go server.Serve(listener)
	io.Copy(io.Discard, os.Stdin)
}

func echo(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/refuse" {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	w.Header().Set("Trailer", "X-Sum")
	io.Copy(w, r.Body)
	w.Header().Set("X-Sum", r.Trailer.Get("X-Sum"))
}

// One small call, one large, and a hundred at once.
func call(url string) {
	client := &http.Client{Transport: &http.Transport{Protocols: protocols()}}
	one(client, url, []byte("hello"))
	one(client, url, bytes.Repeat([]byte("x"), 5_000_000))
	var all sync.WaitGroup
	var lock sync.Mutex
	sum := 0
	for range 100 {
		all.Add(1)
		go func() {
			defer all.Done()
			_, body := send(client, url, []byte("ten bytes!"))
			lock.Lock()
			sum += len(body)
			lock.Unlock()
		}()
	}
	all.Wait()
	fmt.Println(sum)
}

func one(client *http.Client, url string, body []byte) {
	response, echoed := send(client, url, body)
	fmt.Println(response.Proto, response.StatusCode, bytes.Equal(body, echoed), response.Trailer.Get("X-Sum"))
}

func send(client *http.Client, url string, body []byte) (*http.Response, []byte) {
	request, err := http.NewRequest("POST", url, bytes.NewReader(body))
	check(err)
	request.Trailer = http.Header{"X-Sum": {"7"}}
	response, err := client.Do(request)
	check(err)
	defer response.Body.Close()
	echoed, err := io.ReadAll(response.Body)
	check(err)
	return response, echoed
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
