// For tests: an app and a client on grpc-go. `serve` is the app, on APP_PORT. Everything else is a client that calls the app
// `shop` on DAPR_GRPC_PORT, and prints what came of it. Messages are bare bytes, so that nothing has to be generated.
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type bare struct{}

func (bare) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (bare) Unmarshal(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data); return nil }
func (bare) Name() string                       { return "bare" }

func main() {
	what, args := os.Args[1], os.Args[2:]
	if what == "serve" {
		serve()
		return
	}
	connection, err := grpc.NewClient("127.0.0.1:"+os.Getenv("DAPR_GRPC_PORT"),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(bare{})))
	check(err)
	defer connection.Close()
	life := metadata.AppendToOutgoingContext(context.Background(), "dapr-app-id", "shop")
	switch what {
	case "unary":
		unary(metadata.AppendToOutgoingContext(life, args...), connection, []byte("hello"))
	case "large":
		size, err := strconv.Atoi(args[0])
		check(err)
		unary(life, connection, bytes.Repeat([]byte("x"), size))
	case "details":
		details(life, connection)
	case "many":
		count, err := strconv.Atoi(args[0])
		check(err)
		many(life, connection, count)
	case "cancel":
		cancelled(life, connection)
	case "converse":
		converse(metadata.AppendToOutgoingContext(life, args...), connection)
	}
}

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("APP_PORT"))
	check(err)
	fmt.Println("serving as", os.Getpid())
	server := grpc.NewServer(
		grpc.ForceServerCodec(bare{}), grpc.UnknownServiceHandler(answer), grpc.MaxRecvMsgSize(1<<26))
	check(server.Serve(listener))
}

func answer(_ any, stream grpc.ServerStream) error {
	asked, _ := metadata.FromIncomingContext(stream.Context())
	told := metadata.Pairs("x-pid", strconv.Itoa(os.Getpid()), "x-sent", strings.Join(asked.Get("x-sent"), ","),
		"x-stream", strings.Join(asked.Get("dapr-stream"), ","), "x-caller", strings.Join(asked.Get("dapr-caller-app-id"), ","))
	if err := stream.SendHeader(told); err != nil {
		return err
	}
	stream.SetTrailer(metadata.Pairs("x-sum", "7"))
	method, _ := grpc.MethodFromServerStream(stream)
	switch method {
	case "/shop.v1.Orders/Fail":
		return broken()
	case "/shop.v1.Orders/Wait":
		<-stream.Context().Done()
		fmt.Println("given up at", time.Now().UnixMicro())
		return stream.Context().Err()
	}
	return echo(stream)
}

func echo(stream grpc.ServerStream) error {
	for {
		var message []byte
		err := stream.RecvMsg(&message)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
}

func broken() error {
	violation := &errdetails.BadRequest_FieldViolation{Field: "count", Description: "größer als null"}
	rich, err := status.New(codes.FailedPrecondition, "no such order: größer").WithDetails(
		&errdetails.ErrorInfo{Reason: "NO_ORDER", Domain: "shop.example", Metadata: map[string]string{"order": "7"}},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{violation}})
	check(err)
	return rich.Err()
}

func unary(life context.Context, connection *grpc.ClientConn, message []byte) {
	var answer []byte
	var head, trailer metadata.MD
	err := connection.Invoke(life, "/shop.v1.Orders/Echo", &message, &answer, grpc.Header(&head), grpc.Trailer(&trailer))
	fmt.Println(status.Code(err), status.Convert(err).Message())
	fmt.Println("echoed", bytes.Equal(message, answer), "sent", head.Get("x-sent"), "stream", head.Get("x-stream"),
		"caller", head.Get("x-caller"), "sum", trailer.Get("x-sum"))
}

func details(life context.Context, connection *grpc.ClientConn) {
	var message, answer []byte
	rich := status.Convert(connection.Invoke(life, "/shop.v1.Orders/Fail", &message, &answer))
	fmt.Println(rich.Code(), rich.Message())
	for _, detail := range rich.Details() {
		switch known := detail.(type) {
		case *errdetails.ErrorInfo:
			fmt.Println("info", known.Reason, known.Domain, known.Metadata)
		case *errdetails.BadRequest:
			fmt.Println("violation", known.FieldViolations[0].Field, known.FieldViolations[0].Description)
		default:
			fmt.Println("unknown", known)
		}
	}
}

// All streams have had an answer before the first of them has its second message.
func many(life context.Context, connection *grpc.ClientConn, count int) {
	var opened, ended sync.WaitGroup
	var good atomic.Int64
	opened.Add(count)
	for number := range count {
		ended.Go(func() {
			stream := open(life, connection, "/shop.v1.Orders/Talk")
			isGood := exchange(stream, fmt.Sprint("first of ", number))
			opened.Done()
			opened.Wait()
			isGood = exchange(stream, fmt.Sprint("second of ", number)) && isGood
			check(stream.CloseSend())
			var rest []byte
			if isGood && stream.RecvMsg(&rest) == io.EOF {
				good.Add(1)
			}
		})
	}
	ended.Wait()
	fmt.Println("good", good.Load())
}

func cancelled(life context.Context, connection *grpc.ClientConn) {
	life, cancel := context.WithCancel(life)
	stream := open(life, connection, "/shop.v1.Orders/Wait")
	_, err := stream.Header()
	check(err)
	fmt.Println("cancelled at", time.Now().UnixMicro())
	cancel()
	var answer []byte
	fmt.Println(status.Code(stream.RecvMsg(&answer)))
}

// Sends each line of its input, and prints what comes back.
func converse(life context.Context, connection *grpc.ClientConn) {
	stream := open(life, connection, "/shop.v1.Orders/Talk")
	head, err := stream.Header()
	check(err)
	fmt.Println("pid", head.Get("x-pid")[0])
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		message := bytes.Clone(lines.Bytes())
		check(stream.SendMsg(&message))
		var answer []byte
		check(stream.RecvMsg(&answer))
		fmt.Printf("heard %s\n", answer)
	}
	check(stream.CloseSend())
	var rest []byte
	fmt.Println("end", stream.RecvMsg(&rest) == io.EOF, stream.Trailer().Get("x-sum"))
}

func open(life context.Context, connection *grpc.ClientConn, method string) grpc.ClientStream {
	stream, err := connection.NewStream(life, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	check(err)
	return stream
}

func exchange(stream grpc.ClientStream, text string) bool {
	message := []byte(text)
	if err := stream.SendMsg(&message); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return false
	}
	var answer []byte
	if err := stream.RecvMsg(&answer); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return false
	}
	return bytes.Equal(message, answer)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
