// Command echo is what the tests of testkit start: it prints its arguments and
// one variable, serves /healthz, and drains when it is told to.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	go func() { _ = http.Serve(listener, nil) }()

	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	fmt.Println("args", os.Args[1:])
	fmt.Println("setting", os.Getenv("ASYNCOPS_SETTING"), "other", os.Getenv("ASYNCOPS_OTHER"))
	fmt.Fprintln(os.Stderr, "listening http://"+listener.Addr().String())
	<-terminated
	fmt.Println("drained")
	os.Exit(3)
}
