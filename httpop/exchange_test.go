package httpop_test

import (
	"slices"
	"testing"
	"time"

	"github.com/asyncops/asyncops/httpop"
)

func TestCheckExchange(t *testing.T) {
	t.Parallel()
	send := httpop.Step{Send: &httpop.Message{Data: []byte("a")}}
	receive := func(r httpop.Receive) httpop.Step { return httpop.Step{Receive: &r} }
	tests := []struct {
		name     string
		exchange httpop.Exchange
		want     []string // pointers
	}{
		{"right", httpop.Exchange{Path: "/ws", Subprotocols: []string{"v1.json"}, Steps: []httpop.Step{send, receive(httpop.Receive{Count: 3, Timeout: time.Second})}}, nil},
		{"nothing", httpop.Exchange{}, []string{"/path", "/steps"}},
		{"too many steps", httpop.Exchange{Path: "/", Steps: slices.Repeat([]httpop.Step{send}, httpop.MaxSteps+1)}, []string{"/steps"}},
		{"both and neither", httpop.Exchange{Path: "/", Steps: []httpop.Step{{}, {Send: send.Send, Receive: &httpop.Receive{}}}}, []string{"/steps/0", "/steps/1"}},
		{"bounds", httpop.Exchange{Path: "/", Steps: []httpop.Step{receive(httpop.Receive{Count: httpop.MaxReceive + 1}), receive(httpop.Receive{Timeout: -1})}},
			[]string{"/steps/0/receive/count", "/steps/1/receive/timeout"}},
		{"handshake", httpop.Exchange{Path: "//evil", Headers: map[string]string{"Sec-WebSocket-Protocol": "x"}, Steps: []httpop.Step{send}},
			[]string{"/path", "/headers/Sec-WebSocket-Protocol"}},
		{"subprotocols", httpop.Exchange{Path: "/", Subprotocols: []string{"a,b", ""}, Steps: []httpop.Step{send}}, []string{"/subprotocols/0", "/subprotocols/1"}},
		{"too many subprotocols", httpop.Exchange{Path: "/", Subprotocols: slices.Repeat([]string{"a"}, httpop.MaxSubprotocols+1), Steps: []httpop.Step{send}}, []string{"/subprotocols"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range httpop.CheckExchange(tt.exchange, httpop.Policy{AllowHeaders: []string{"Sec-WebSocket-Protocol"}}) {
				got = append(got, f.Pointer)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("CheckExchange points to %q, want %q", got, tt.want)
			}
		})
	}
}
