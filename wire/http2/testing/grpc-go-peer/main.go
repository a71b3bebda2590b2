// For tests: grpc-go. `call ADDRESS` makes calls and says what came of each; without arguments it serves until its input
// ends. Messages are bare bytes, so that nothing has to be generated.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const messageBytesMax = 1 << 24

type bare struct{}

func (bare) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (bare) Unmarshal(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data); return nil }
func (bare) Name() string                       { return "bare" }

func main() {
	if len(os.Args) == 3 && os.Args[1] == "call" {
		call(os.Args[2])
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	server := grpc.NewServer(
		grpc.ForceServerCodec(bare{}), grpc.UnknownServiceHandler(echo), grpc.MaxRecvMsgSize(messageBytesMax))
	go server.Serve(listener)
	io.Copy(io.Discard, os.Stdin)
}

// Sends each message back. A message "fail" ends the call with a status.
func echo(_ any, stream grpc.ServerStream) error {
	asked, _ := metadata.FromIncomingContext(stream.Context())
	stream.SetHeader(metadata.Pairs("x-asked", strings.Join(asked.Get("x-name"), ",")))
	stream.SetTrailer(metadata.Pairs("x-sum", "7"))
	for {
		var message []byte
		err := stream.RecvMsg(&message)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if string(message) == "fail" {
			return status.Error(codes.NotFound, "no such thing")
		}
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
}

func call(address string) {
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(bare{}), grpc.MaxCallRecvMsgSize(messageBytesMax)))
	check(err)
	defer connection.Close()
	fmt.Println("small", unary(connection, "/test.Echo/Unary", []byte("hello")))
	fmt.Println("large", unary(connection, "/test.Echo/Unary", bytes.Repeat([]byte("abc"), 1_000_000)))
	fmt.Println("many", many(connection))
	fmt.Println("conversation", conversation(connection))
	fmt.Println("failing", unary(connection, "/test.Echo/Fail", []byte("hello")))
	fmt.Println("late", late(connection))
	fmt.Println("cancelled", cancelled(connection))
	fmt.Println("afterwards", unary(connection, "/test.Echo/Unary", []byte("hello")))
}

func unary(connection *grpc.ClientConn, method string, message []byte) string {
	var answer []byte
	var trailer metadata.MD
	err := connection.Invoke(context.Background(), method, &message, &answer, grpc.Trailer(&trailer))
	return fmt.Sprint(status.Code(err), " ", bytes.Equal(message, answer), " ", strings.Join(trailer.Get("x-sum"), ","))
}

func many(connection *grpc.ClientConn) int {
	var all sync.WaitGroup
	var lock sync.Mutex
	good := 0
	for range 100 {
		all.Go(func() {
			answer := unary(connection, "/test.Echo/Unary", []byte("ten bytes!"))
			lock.Lock()
			defer lock.Unlock()
			if answer == "OK true 7" {
				good++
			}
		})
	}
	all.Wait()
	return good
}

func conversation(connection *grpc.ClientConn) string {
	stream, err := open(context.Background(), connection, "/test.Echo/Bidi")
	check(err)
	heard := 0
	for turn := range 20 {
		message := fmt.Appendf(nil, "message %d", turn)
		check(stream.SendMsg(&message))
		var answer []byte
		check(stream.RecvMsg(&answer))
		if bytes.Equal(message, answer) {
			heard++
		}
	}
	check(stream.CloseSend())
	var rest []byte
	return fmt.Sprint(heard, " ", stream.RecvMsg(&rest) == io.EOF)
}

// The far side says its head, and then nothing until we give up.
func late(connection *grpc.ClientConn) string {
	deadline, stop := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer stop()
	var message, answer []byte
	return status.Code(connection.Invoke(deadline, "/test.Echo/Never", &message, &answer)).String()
}

func cancelled(connection *grpc.ClientConn) string {
	life, cancel := context.WithCancel(context.Background())
	stream, err := open(life, connection, "/test.Echo/Never")
	check(err)
	_, err = stream.Header()
	check(err)
	cancel()
	var answer []byte
	return status.Code(stream.RecvMsg(&answer)).String()
}

func open(life context.Context, connection *grpc.ClientConn, method string) (grpc.ClientStream, error) {
	return connection.NewStream(life, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
