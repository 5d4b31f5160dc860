package clients_test

import (
	"log/slog"
	"testing"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/clients/clientstest"
)

func open(t *testing.T, cfg clients.Config) *clients.Client {
	t.Helper()
	c, err := clients.Open(cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestConformance(t *testing.T) {
	t.Parallel()
	clientstest.Run(t, func(t *testing.T, cfg clients.Config) clientstest.Caller { return open(t, cfg) })
}

func TestTalks(t *testing.T) {
	t.Parallel()
	clientstest.RunTalks(t, func(t *testing.T, cfg clients.Config) clientstest.Talker { return open(t, cfg) })
}
