package clients

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxHeaderBytes bounds the headers of an answer.
const maxHeaderBytes = 64 << 10

func newTransport(cfg Config, dialer *net.Dialer, conns *pool) (*http.Transport, error) {
	tlsConfig, err := cfg.TLS.load()
	if err != nil {
		return nil, err
	}
	proxy, err := parseProxy(cfg.Proxy)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		Proxy: nil, // not the environment's
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return conns.track(c), nil
		},
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    10 * time.Second,
		DisableCompression:     true, // bounded here instead, in body.go
		MaxIdleConns:           cfg.Pool.MaxIdle,
		MaxIdleConnsPerHost:    cfg.Pool.MaxIdle,
		MaxConnsPerHost:        cfg.Pool.MaxConnections,
		IdleConnTimeout:        cfg.Pool.IdleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		Protocols:              protocols(cfg),
	}
	if proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
	}
	return t, nil
}

func protocols(cfg Config) *http.Protocols {
	var p http.Protocols
	switch cfg.Protocol {
	case ProtocolHTTP1:
		p.SetHTTP1(true)
	case ProtocolHTTP2:
		p.SetHTTP2(true)
		p.SetUnencryptedHTTP2(true)
	default:
		p.SetHTTP1(true)
		p.SetHTTP2(true)
	}
	return &p
}

// hostPort is where a URL is dialled.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		switch u.Scheme {
		case "https":
			port = "443"
		case "socks5", "socks5h":
			port = "1080"
		default:
			port = "80"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}
