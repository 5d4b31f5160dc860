package clients_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/clients/clientstest"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

func ExampleClient_Do() {
	upstream, err := clientstest.Start(clientstest.Options{Dedupe: "Idempotency-Key"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer upstream.Close()
	// The upstream carries the order out, and the connection breaks before it answers.
	upstream.On("/v2/orders", clientstest.Apply(clientstest.Cut()), clientstest.Apply(clientstest.Answer(201, `{"order":7}`)))

	crm, err := clients.Open(clients.Config{
		Name:          "crm",
		BaseURL:       upstream.URL() + "/v2",
		Auth:          clients.Auth{Type: clients.AuthBearer, Token: func() string { return "s3cret" }},
		MaxRetries:    clients.DefaultMaxRetries,
		AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Idempotency:   clients.Idempotency{Header: "Idempotency-Key"},
	}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer crm.Close()

	resp, err := crm.Do(context.Background(), httpop.Request{
		Method:         "POST",
		Path:           "/orders",
		Body:           []byte(`{"item":"tea"}`),
		ContentType:    "application/json",
		IdempotencyKey: "01939f3e-7c00-7000-8000-000000000000.0",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(resp.Status, string(resp.Body), "after", resp.Sends, "sends")
	fmt.Println("orders placed:", upstream.Effects()["01939f3e-7c00-7000-8000-000000000000.0"])
	// Output:
	// 201 {"order":7} after 2 sends
	// orders placed: 1
}

// demo starts an upstream and a client of it.
func demo() (*clientstest.Upstream, *clients.Client, error) {
	upstream, err := clientstest.Start(clientstest.Options{})
	if err != nil {
		return nil, nil, err
	}
	crm, err := clients.Open(clients.Config{
		Name: "crm", BaseURL: upstream.URL(), AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}, slog.New(slog.DiscardHandler), nil)
	return upstream, crm, err
}

// An answer that is kept is given out until somebody changes what it is about.
func ExampleCacheFor() {
	upstream, err := clientstest.Start(clientstest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer upstream.Close()
	upstream.On("/rates", clientstest.Answer(200, `{"eur":1.07}`), clientstest.Answer(200, `{"eur":1.08}`))
	kept, err := cache.Open(cache.Config{}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer kept.Close()
	crm, err := clients.Open(clients.Config{
		Name: "crm", BaseURL: upstream.URL(), AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Cache: clients.ResponseCache{In: kept},
	}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer crm.Close()

	read := func() {
		resp, err := crm.Get(context.Background(), "/rates", clients.CacheFor(10*time.Minute))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(string(resp.Body), resp.Cached)
	}
	read()
	read()
	if err := crm.InvalidateCache(clients.Stale{PathPrefix: "/rates"}); err != nil {
		fmt.Println(err)
	}
	read()
	// Output:
	// {"eur":1.07} false
	// {"eur":1.07} true
	// {"eur":1.08} false
}

func ExampleClient_Get() {
	upstream, crm, err := demo()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer upstream.Close()
	defer crm.Close()
	upstream.On("/users/7", clientstest.Answer(200, `{"id":7,"name":"Ada"}`))

	resp, err := crm.Get(context.Background(), "/users/7", clients.Query("fields", "id", "name"), clients.Timeout(5*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	user, err := clients.Decode[struct{ Name string }](resp)
	fmt.Println(resp.Status, user.Name, err)
	fmt.Println(upstream.Requests()[0].Target)
	// Output:
	// 200 Ada <nil>
	// /users/7?fields=id&fields=name
}

func ExampleClient_Post() {
	upstream, crm, err := demo()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer upstream.Close()
	defer crm.Close()
	upstream.On("/users", clientstest.Answer(409, `{"error":"exists"}`))

	_, err = crm.Post(context.Background(), "/users", clients.JSON(map[string]string{"name": "Ada"}))
	if failure, ok := errors.AsType[*job.Failure](err); ok {
		fmt.Println(failure.Class, failure.Code)
	}
	resp, err := crm.Post(context.Background(), "/users", clients.JSON(map[string]string{"name": "Ada"}), clients.Expect(201, 409))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(resp.Status)
	// Output:
	// permanent upstream_status
	// 409
}

func ExampleClient_Batch() {
	upstream, crm, err := demo()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer upstream.Close()
	defer crm.Close()
	upstream.On("/users/2", clientstest.Answer(404, "{}"))

	var requests []httpop.Request
	for _, path := range []string{"/users/1", "/users/2", "/users/3"} {
		requests = append(requests, httpop.Request{Method: "DELETE", Path: path})
	}
	for i, answer := range crm.Batch(context.Background(), requests, 2) {
		fmt.Println(requests[i].Path, answer.Err == nil)
	}
	// Output:
	// /users/1 true
	// /users/2 false
	// /users/3 true
}

func ExampleClient_Dial() {
	upstream, crm, err := demo()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer upstream.Close()
	defer crm.Close()
	upstream.On("/live", upstream.Echo())

	ctx := context.Background()
	conn, err := crm.Dial(ctx, "/live", clients.Subprotocols("v1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := conn.Send(ctx, httpop.Message{Data: []byte("hello")}); err != nil {
		fmt.Println(err)
		return
	}
	message, err := conn.Receive(ctx)
	fmt.Println(string(message.Data), err)
	fmt.Println(conn.Close(ctx))
	// Output:
	// hello <nil>
	// 1000
}

func ExampleSigner() {
	upstream, err := clientstest.Start(clientstest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer upstream.Close()
	// The type of authentication that the configuration calls
	// auth: {type: custom, name: length}.
	length := func(r *http.Request) error {
		r.Header.Set("Authorization", "Length "+strconv.FormatInt(r.ContentLength, 10))
		return nil
	}
	crm, err := clients.Open(clients.Config{
		Name: "crm", BaseURL: upstream.URL(), Auth: clients.Auth{Type: clients.AuthCustom, Name: "length", Sign: length},
		AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer crm.Close()
	if _, err := crm.Do(context.Background(), httpop.Request{Method: "PUT", Path: "/tea", Body: []byte(`{"cups":7}`)}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(upstream.Requests()[0].Header.Get("Authorization"))
	// Output: Length 10
}
