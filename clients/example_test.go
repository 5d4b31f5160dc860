package clients_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/clients/clientstest"
	"github.com/asyncops/asyncops/httpop"
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
